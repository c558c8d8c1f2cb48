// radix members: who is in the group, as one node sees it.

#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {

void AddMembers(CLI::App& app, Session& session) {
  CLI::App& verb = *app.add_subcommand("members", "Lists the nodes of the group")->fallthrough();
  verb.callback([&session] {
    session.run = [&session] {
      const auto node = session.OpenNode();
      if (!node.ok()) return Fail(node.status());
      const auto members = Members(*node);
      if (!members.ok()) return Fail(members.status());
      session.json() ? PrintJson(*members) : PrintObjects(*members);
      return kExitOk;
    };
  });
}

}  // namespace radix::cli
