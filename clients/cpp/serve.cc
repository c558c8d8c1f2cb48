#include "clients/cpp/serve.h"

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/heartbeat.h"
#include "services/confab/parent.h"

namespace radix {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Readable once one of the signals came, which then stays pending: every Serving of the process
// sees it.
int OpenStopSignals() {
  const sigset_t signals = StopSignals();
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

std::string FromEnvironment(std::string value, const char* name, const char* fallback) {
  if (!value.empty()) return value;
  const char* set = std::getenv(name);
  return set != nullptr && *set != '\0' ? set : fallback;
}

class RunningService final : public Serving {
 public:
  RunningService(const Network& network, ServeOptions options,
                 std::unique_ptr<confab::Server> server)
      : options_(std::move(options)),
        stop_signals_(OpenStopSignals()),
        stop_calls_(eventfd(0, EFD_CLOEXEC)),
        server_(std::move(server)) {
    if (options_.registers) heartbeat_ = std::make_unique<Heartbeat>(network, FirstBeat());
    if (confab::SupervisorFd()) pulse_ = std::make_unique<Pulse>(*server_, options_.prove_alive);
  }

  ~RunningService() override {
    close(stop_signals_);
    close(stop_calls_);
  }

  const std::string& net_id() const override { return server_->net_id(); }

  int Wait() override {
    std::array<pollfd, 2> stops = {pollfd{stop_signals_, POLLIN, 0},
                                   pollfd{stop_calls_, POLLIN, 0}};
    while (poll(stops.data(), stops.size(), -1) < 0 && errno == EINTR) {
    }
    Drain();
    return 0;
  }

  void Stop() override { eventfd_write(stop_calls_, 1); }

 private:
  heartbeater::v1::BeatRequest FirstBeat() const {
    heartbeater::v1::BeatRequest beat;
    beat.set_net_id(server_->net_id());
    beat.set_status(registry::v1::STATUS_SERVING);
    beat.set_horde(options_.horde);
    beat.set_api(options_.api);
    beat.set_inst(options_.inst);
    for (const std::string& label : options_.labels) beat.add_labels(label);
    return beat;
  }

  void Drain() {
    spdlog::info("draining");
    if (heartbeat_) heartbeat_->SetStatus(registry::v1::STATUS_DRAINING);
    server_->SetServing(false);
    if (options_.on_drain) options_.on_drain();
    server_->AwaitQuiet(options_.drain_quiet, options_.drain_limit);
    heartbeat_.reset();
    pulse_.reset();
    if (!server_->Shutdown(1s)) {
      spdlog::warn("a call did not end; exiting without it");
      _exit(0);  // destructors would wait for it
    }
    spdlog::info("drained");
  }

  const ServeOptions options_;
  const int stop_signals_;
  const int stop_calls_;  // readable once Stop was called
  std::unique_ptr<confab::Server> server_;
  std::unique_ptr<Heartbeat> heartbeat_;  // none when it does not register
  std::unique_ptr<Pulse> pulse_;          // under a supervisor only
};

}  // namespace

void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

absl::StatusOr<std::unique_ptr<Serving>> Serve(const Network& network, ServeOptions options,
                                               const std::vector<confab::HostedService>& services) {
  options.horde = FromEnvironment(std::move(options.horde), "RADIX_HORDE", "default");
  options.api = FromEnvironment(std::move(options.api), "RADIX_API", "");
  options.inst = FromEnvironment(std::move(options.inst), "RADIX_INST", "");
  if (options.api.empty() || options.inst.empty()) {
    return absl::InvalidArgumentError("Serve: api and inst must be set");
  }
  BlockStopSignals();
  confab::DieWithParent();
  auto server = confab::Server::Start(network.node,
                                      {.socket = options.socket,
                                       .port = options.port,
                                       .horde = options.horde,
                                       .api = options.api,
                                       .inst = options.inst},
                                      services);
  if (!server.ok()) return server.status();
  spdlog::info("{} serves at {}", options.inst,
               options.port ? (*server)->net_id() : options.socket + ".sock");
  confab::NotifyReady();
  return std::make_unique<RunningService>(network, std::move(options), *std::move(server));
}

}  // namespace radix
