#include "services/flock/run.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/charter_file.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/flock/flock_driver.h"
#include "services/flock/flock_service.h"
#include "services/flock/revocation_driver.h"
#include "services/flock/state_driver.h"
#include "services/flock/supervisor_driver.h"

namespace radix::flock {
int Run(int argc, char** argv) {
  confab::StartLog("flock");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto config = LoadConfig(*arguments);
  if (!config.ok()) return confab::Fail(config.status(), 2);
  auto driver = FlockDriver::Create(
      *config, arguments->node, confab::KeyFilePath(arguments->charter_path, arguments->charter));
  if (!driver.ok()) return confab::Fail(driver.status(), 1);

  // Alone on its node it serves what the operator asks, on the Unix socket: nobody else is there to
  // call it, nor to register it. Every client watches again by itself: none has to be waited for.
  FlockServiceImpl service(**driver);
  // The others first: to start a gRPC server takes longer than to find them.
  (*driver)->Begin({.on_change = [&service] { service.Wake(); }, .on_leadership = &TellSupervisor});
  absl::StatusOr<Network> network = Network{arguments->node};
  if (!arguments->flock_only) network = AttestedNetwork(arguments->node, "flock");
  if (!network.ok()) {
    (*driver)->Leave();
    return confab::Fail(network.status(), 1);
  }
  auto serving = Serve(*network,
                       {.horde = "radix",
                        .api = "flock1",
                        .inst = "flock1_0",
                        .port = arguments->flock_only ? std::optional<std::uint16_t>() : 0,
                        .socket = "flock",
                        .registers = !arguments->flock_only,
                        .drain_quiet = 0s,
                        .drain_limit = 1s,
                        .on_drain = [&service] { service.EndStreams(); },
                        .prove_alive = AfterTurnOf(**driver)},
                       service);
  if (!serving.ok()) {
    (*driver)->Leave();
    return confab::Fail(serving.status(), 1);
  }

  const auto revocations =
      arguments->flock_only ? nullptr : FollowRevocations(arguments->node, **driver);
  const int exit_status = (*serving)->Wait();
  (*driver)->Leave();
  spdlog::info("left the flock");
  return exit_status;
}

}  // namespace radix::flock
