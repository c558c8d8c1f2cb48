#include "services/picket/run.h"

#include <cstdlib>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/confab/parent.h"
#include "services/picket/picket_service.h"
#include "services/picket/plugins_driver.h"

namespace radix::picket {

int Run(int argc, char** argv) {
  confab::StartLog("picket");
  confab::DieWithParent();
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto network = AttestedNetwork(arguments->node, "picket");
  if (!network.ok()) return confab::Fail(network.status(), 1);

  const auto link = confab::SupervisorFd();
  if (!link)
    return confab::Fail(absl::FailedPreconditionError("picket runs only under fulcrum"), 1);
  const auto plugins = Plugins::Resume(*arguments, *link);
  if (!plugins.ok()) return confab::Fail(plugins.status(), 1);

  PicketService service(**plugins);
  const auto serving = Serve(*network,
                             {.horde = "radix",
                              .api = "picket1",
                              .inst = "picket1_0",
                              .labels = arguments->node.labels,
                              .socket = "picket",
                              .drain_quiet = 200ms,
                              .on_drain = [&service] { service.EndWatches(); },
                              .prove_alive = AfterTurnOf(**plugins)},
                             service);
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  // Without destructors: they would wait for a program that is being pulled.
  std::_Exit((*serving)->Wait());
}

}  // namespace radix::picket
