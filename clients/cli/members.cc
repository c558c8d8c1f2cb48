// radix members: who is in the group, as one node sees it.

#include <memory>
#include <string>

#include "clients/cli/horde.h"
#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {
namespace {

int List(const Invocation& invocation, const std::string& horde) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  absl::StatusOr<registry::Hordes> hordes = registry::Hordes();
  if (!horde.empty()) hordes = HordesAt(*node);
  if (!hordes.ok()) return Fail(hordes.status());
  const registry::Horde* only = horde.empty() ? nullptr : hordes->Find(horde);
  if (!horde.empty() && only == nullptr) return Fail(NoSuchHorde(horde));
  const auto members = Members(*node, only);
  if (!members.ok()) return Fail(members.status());
  invocation.json() ? PrintJson(*members) : PrintObjects(*members);
  return kExitOk;
}

}  // namespace

void AddMembers(CLI::App& app, Invocation& invocation) {
  CLI::App& verb = *app.add_subcommand("members", "Lists the nodes of the group")->fallthrough();
  const auto horde = std::make_shared<std::string>();
  verb.add_option("--horde", *horde, "Only those that are of this horde");
  verb.callback([&invocation, horde] {
    invocation.run = [&invocation, horde] { return List(invocation, *horde); };
  });
}

}  // namespace radix::cli
