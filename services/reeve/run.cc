#include "services/reeve/run.h"

#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/reeve/reeve_service.h"

namespace radix::reeve {

int Run(int argc, char** argv) {
  confab::StartLog("reeve");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const std::uint16_t port = arguments->charter.port;
  ReeveServiceImpl service(arguments->node, static_cast<std::uint16_t>(port + 1));
  auto serving = Serve(Network{arguments->node},
                       {.horde = "radix",
                        .api = "reeve1",
                        .inst = "reeve1_0",
                        .port = port,
                        .socket = "reeve",
                        .drain_quiet = 0s,
                        .drain_limit = 1s,
                        .on_drain = [&service] { service.EndStreams(); },
                        .prove_alive = AfterTurnOf(service)},
                       {{&service, v1::ReeveService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::reeve
