#include "services/healthminder/run.h"

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/healthminder/healthminder_service.h"

namespace radix::healthminder {

int Run(int argc, char** argv) {
  confab::StartLog("healthminder");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto network = AttestedNetwork(arguments->node, "healthminder");
  if (!network.ok()) return confab::Fail(network.status(), 1);
  HealthminderServiceImpl service(arguments->node);
  auto serving = Serve(*network,
                       {.horde = "radix",
                        .api = "healthminder1",
                        .inst = "healthminder1_0",
                        .socket = "healthminder"},
                       {{&service, v1::HealthminderService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::healthminder
