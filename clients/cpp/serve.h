// Serves a gRPC service on this node: health, reflection, heartbeats, and a clean drain.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/network.h"
#include "clients/cpp/pulse.h"
#include "services/confab/serve.h"

namespace radix {

// What is served, and how.
struct ServeOptions {
  // The horde it registers in. Default: RADIX_HORDE, which picket sets, else `default`.
  std::string horde;
  // The api and the inst it registers as. Required, unless RADIX_API and RADIX_INST, which picket
  // sets, say so.
  std::string api;
  std::string inst;
  // `tag` or `key=value` texts for the registry.
  std::vector<std::string> labels;
  // The TCP port; 0: a free one. nullopt: none, for what serves on its Unix socket only.
  std::optional<std::uint16_t> port = 0;
  // The name of a Unix socket beside it, STATE/<socket>.sock; empty: none. For built-in services.
  std::string socket;
  // Whether it beats to the node's heartbeater, and so is registered; what has none need not try.
  bool registers = true;
  // How a drain goes. It ends when no call was in flight for `drain_quiet`, so that clients have
  // moved on, and after `drain_limit` in any case; then what still runs is cancelled.
  Duration drain_quiet = 1s;
  Duration drain_limit = 10s;
  // Called when a drain begins: ends streams that would not end by themselves.
  std::function<void()> on_drain;
  // For built-in services: how they prove to the supervisor that they do not hang. See pulse.h.
  ProveAlive prove_alive;
};

// A service that runs. Thread-safe.
class Serving {
 public:
  virtual ~Serving() = default;

  // Where it is called, for example "127.88.0.2:38815"; empty without TCP.
  virtual const std::string& net_id() const = 0;

  // Serves until SIGTERM or SIGINT arrives or Stop is called; then announces that it drains, lets
  // clients leave and calls end, withdraws the registration, and returns the exit status for main:
  // 0. A call that will not end does not hold it up: then the process exits here, with the same
  // status.
  virtual int Wait() = 0;

  // Has Wait drain and return, also when it is called later.
  virtual void Stop() = 0;
};

// Blocks SIGTERM and SIGINT, which Serving::Wait waits for, in the calling thread and in all that
// it starts from now on. Call it in main before anything that has a thread.
void BlockStopSignals();

// Starts to serve, and, if it registers, to beat to the node's heartbeater once a second. Does
// BlockStopSignals first; a main that starts threads of its own before Serve calls that itself.
//
// Under fulcrum's supervisor or picket it also sees that this process does not outlive the node.
//
// Errors: as confab::Server::Start; InvalidArgument, when api or inst is missing.
absl::StatusOr<std::unique_ptr<Serving>> Serve(const Network& network, ServeOptions options,
                                               const std::vector<confab::HostedService>& services);

// The same for one service.
template <typename Service>
absl::StatusOr<std::unique_ptr<Serving>> Serve(const Network& network, ServeOptions options,
                                               Service& service) {
  return Serve(network, std::move(options), std::vector{confab::Hosted(service)});
}

}  // namespace radix
