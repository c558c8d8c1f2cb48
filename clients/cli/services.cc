// radix services: everything that serves in the group, as one node's reeve knows it.

#include <memory>
#include <string>
#include <vector>

#include "clients/cli/verbs.h"
#include "clients/cli/view.h"

namespace radix::cli {

void AddServices(CLI::App& app, Invocation& invocation) {
  CLI::App& verb =
      *app.add_subcommand("services", "Lists what serves in the group, and where")->fallthrough();
  const auto horde = std::make_shared<std::string>();
  verb.add_option("--horde", *horde, "Only those of this horde");
  verb.callback([&invocation, horde] {
    invocation.run = [&invocation, horde] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      auto services = Services(*node);
      if (!services.ok()) return Fail(services.status());
      if (!horde->empty()) {
        std::erase_if(services->get_ref<Json::array_t&>(),
                      [&](const Json& each) { return each["horde"] != *horde; });
      }
      invocation.json() ? PrintJson(*services) : PrintObjects(*services);
      return kExitOk;
    };
  });
}

}  // namespace radix::cli
