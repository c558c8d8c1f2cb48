// radix services: everything that serves in the group, as one node's reeve knows it.

#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {

void AddServices(CLI::App& app, Invocation& invocation) {
  CLI::App& verb =
      *app.add_subcommand("services", "Lists what serves in the group, and where")->fallthrough();
  verb.callback([&invocation] {
    invocation.run = [&invocation] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      const auto services = Services(*node);
      if (!services.ok()) return Fail(services.status());
      invocation.json() ? PrintJson(*services) : PrintObjects(*services);
      return kExitOk;
    };
  });
}

}  // namespace radix::cli
