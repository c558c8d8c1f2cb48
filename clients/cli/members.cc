// radix members: who is in the group, as one node sees it.

#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {

void AddMembers(CLI::App& app, Invocation& invocation) {
  CLI::App& verb = *app.add_subcommand("members", "Lists the nodes of the group")->fallthrough();
  verb.callback([&invocation] {
    invocation.run = [&invocation] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      const auto members = Members(*node);
      if (!members.ok()) return Fail(members.status());
      invocation.json() ? PrintJson(*members) : PrintObjects(*members);
      return kExitOk;
    };
  });
}

}  // namespace radix::cli
