#include "services/pastiche/run.h"

#include <memory>
#include <string>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/pastiche/pastiche_service.h"
#include "services/pastiche/store_driver.h"

namespace radix::pastiche {
namespace {

absl::StatusOr<Network> FindNetwork(int argc, char** argv) {
  if (argc <= 1) {
    const auto network = Network::FromEnvironment();
    if (!network.ok()) return network;
    return AttestedNetwork(network->node, "pastiche");
  }
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return arguments.status();
  return AttestedNetwork(arguments->node, "pastiche");
}

}  // namespace

int Run(int argc, char** argv) {
  confab::StartLog("pastiche");
  BlockStopSignals();  // before the service's threads start
  const auto network = FindNetwork(argc, argv);
  if (!network.ok()) return confab::Fail(network.status(), 2);

  const auto store = Store::Open(network->node.state / "pastiche");
  if (!store.ok()) return confab::Fail(store.status(), 1);

  PasticheService service(network->node, **store);
  const auto serving = Serve(*network,
                             {.horde = "radix",
                              .api = "pastiche1",
                              .inst = "pastiche1_0",
                              .labels = network->node.labels,
                              .socket = "pastiche",
                              .prove_alive = AfterTurnOf(service)},
                             {{&service, v1::PasticheService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::pastiche
