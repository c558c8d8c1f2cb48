#include "services/proctor/run.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "clients/cpp/serve.h"
#include "services/confab/log.h"
#include "services/proctor/dean_service.h"
#include "services/proctor/proctor_service.h"

namespace radix::proctor {
namespace {

// Serve waits for these; no thread that is started before it may take them.
void BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int Fail(const absl::Status& status, int exit_status) {
  spdlog::error("{}", std::string(status.message()));
  return exit_status;
}

// What every node runs, whether or not there is a group.
std::vector<PluginSpec> NodeBuiltIns() {
  return {{.id = "pastiche",
           .owner = "dean",
           .horde = "radix",
           .api = "pastiche1",
           .inst = "pastiche1_1",
           .file = "builtin:pastiche"}};
}

}  // namespace

int RunProctor(int argc, char** argv) {
  confab::StartLog("proctor");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return Fail(arguments.status(), 2);
  if (arguments->epoch == 0 || arguments->epoch > INT64_MAX) {
    return Fail(absl::InvalidArgumentError("--epoch must be given, and above 0"), 2);
  }
  // The end of the epoch ends the process as SIGTERM does, with a short drain.
  const auto driver = ProctorDriver::Create({.node = arguments->node,
                                             .ranges = arguments->charter.ranges,
                                             .epoch = static_cast<std::int64_t>(arguments->epoch),
                                             .on_over = [] { kill(getpid(), SIGTERM); }});
  ProctorServiceImpl service(arguments->node, driver);
  const auto serving = Serve(Network{arguments->node},
                             {.horde = "radix",
                              .api = "proctor1",
                              .inst = "proctor1_1",
                              .labels = arguments->node.labels,
                              .socket = "proctor",
                              .drain_quiet = 50ms,
                              .drain_limit = 1s,
                              .on_drain = [driver] { driver->Close(); }},
                             {{&service, v1::ProctorService::service_full_name()}});
  if (!serving.ok()) return Fail(serving.status(), 1);
  return (*serving)->Wait();
}

int RunDean(int argc, char** argv) {
  confab::StartLog("dean");
  BlockStopSignals();
  const auto arguments = confab::ParseServiceArguments(argc, argv);
  if (!arguments.ok()) return Fail(arguments.status(), 2);
  const auto driver = DeanDriver::Create({.node = arguments->node, .builtins = NodeBuiltIns()});
  DeanServiceImpl service(driver);
  const auto serving = Serve(Network{arguments->node},
                             {.horde = "radix",
                              .api = "dean1",
                              .inst = "dean1_1",
                              .labels = arguments->node.labels,
                              .socket = "dean",
                              .drain_limit = 2s,
                              .on_drain = [driver] { driver->Close(); }},
                             {{&service, v1::DeanService::service_full_name()}});
  if (!serving.ok()) return Fail(serving.status(), 1);
  return (*serving)->Wait();
}

}  // namespace radix::proctor
