#include "services/proctor/run.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "clients/cpp/attested_identity.h"
#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/proctor/dean_service.h"
#include "services/proctor/proctor_service.h"

namespace radix::proctor {
namespace {

// What both begin with; their node has an identity.
absl::StatusOr<confab::ServiceArguments> Begin(const std::string& name, int argc, char** argv) {
  confab::StartLog(name);
  BlockStopSignals();
  auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return arguments;
  const auto network = AttestedNetwork(arguments->node, name);
  if (!network.ok()) return network.status();
  arguments->node = network->node;
  return arguments;
}

// What both end with: nothing of theirs is worth a long drain.
int ServeUntilStopped(const confab::Node& node, const std::string& name,
                      confab::HostedService service, std::function<void()> on_drain,
                      ProveAlive prove_alive) {
  const auto serving = Serve(Network{node},
                             {.horde = "radix",
                              .api = name + "1",
                              .inst = name + "1_0",
                              .labels = node.labels,
                              .socket = name,
                              .drain_quiet = 50ms,
                              .drain_limit = 1s,
                              .on_drain = std::move(on_drain),
                              .prove_alive = std::move(prove_alive)},
                             {std::move(service)});
  if (!serving.ok()) return confab::Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace

int RunProctor(int argc, char** argv) {
  const auto arguments = Begin("proctor", argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto epoch = static_cast<std::int64_t>(arguments->epoch);
  if (epoch <= 0) return confab::Fail(absl::InvalidArgumentError("--epoch must be above 0"), 2);
  // The end of the epoch ends the process as SIGTERM does.
  const auto driver = ProctorDriver::Create(
      {.node = arguments->node, .charter = arguments->charter, .epoch = epoch, .on_over = [] {
         kill(getpid(), SIGTERM);
       }});
  ProctorServiceImpl service(arguments->node, driver);
  return ServeUntilStopped(
      arguments->node, "proctor", {&service, v1::ProctorService::service_full_name()},
      [driver] { driver->Close(); }, AfterTurnOf(*driver));
}

int RunDean(int argc, char** argv) {
  const auto arguments = Begin("dean", argc, argv);
  if (!arguments.ok()) return confab::Fail(arguments.status(), 2);
  const auto driver = DeanDriver::Create({.node = arguments->node, .builtins = NodeBuiltIns()});
  DeanServiceImpl service(driver);
  return ServeUntilStopped(
      arguments->node, "dean", {&service, v1::DeanService::service_full_name()},
      [&service] { service.Close(); }, AfterTurnOf(*driver));
}

}  // namespace radix::proctor
