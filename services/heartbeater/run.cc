#include "services/heartbeater/run.h"

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/heartbeater/heartbeater_service.h"

namespace radix::heartbeater {

int Run(int argc, char** argv) {
  confab::StartLog("heartbeater");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto network = AttestedNetwork(arguments->node, "heartbeater");
  if (!network.ok()) return confab::Fail(network.status(), 1);
  // It beats to itself, and no client must be drained: all of them reconnect to its successor.
  HeartbeaterServiceImpl service(arguments->node, arguments->charter.bloc);
  auto serving = Serve(*network,
                       {.horde = "radix",
                        .api = "heartbeater1",
                        .inst = "heartbeater1_0",
                        .socket = "heartbeater",
                        .drain_quiet = 0s,
                        .drain_limit = 1s,
                        .on_drain = [&service] { service.EndStreams(); },
                        .prove_alive = AfterTurnOf(service)},
                       {{&service, v1::HeartbeaterService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::heartbeater
