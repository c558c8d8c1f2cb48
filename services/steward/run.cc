#include "services/steward/run.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/confab/node.h"
#include "services/muster/muster_service.h"
#include "services/registry/group_driver.h"
#include "services/steward/steward_service.h"

namespace radix::steward {

int Run(int argc, char** argv) {
  confab::StartLog("steward");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  if (arguments->epoch == 0) {
    return confab::Fail(absl::InvalidArgumentError("--epoch: is required, and greater than 0"), 2);
  }
  const auto network = AttestedNetwork(arguments->node, "steward");
  if (!network.ok()) return confab::Fail(network.status(), 1);
  const auto port = static_cast<std::uint16_t>(arguments->charter.port + 1);

  const auto end = [epoch = arguments->epoch] {
    spdlog::info("the lease of epoch {} has run out: ending", epoch);
    kill(getpid(), SIGTERM);  // which Wait, below, is waiting for
  };
  StewardServiceImpl steward(arguments->charter, arguments->epoch, end);
  muster::MusterServiceImpl muster(arguments->node, [&steward] { return steward.CheckLease(); });
  const registry::GroupLink group(
      arguments->node, [&steward](const registry::Group& now) { steward.HandleGroup(now); });
  auto serving = Serve(*network,
                       {.horde = "radix",
                        .api = "steward1",
                        .inst = "steward1_0",
                        .port = port,
                        .socket = "steward",
                        .drain_quiet = 0s,
                        .drain_limit = 1s,
                        .on_drain = [&steward] { steward.EndStreams(); },
                        .prove_alive = AfterTurnOf(steward)},
                       {{&steward, v1::StewardService::service_full_name()},
                        {&muster, muster::v1::MusterService::service_full_name()}});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::steward
