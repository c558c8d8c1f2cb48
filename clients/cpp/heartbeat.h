// One service's heartbeats to its node's heartbeater.

#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "clients/cpp/client_stream.h"
#include "clients/cpp/network.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/timer_thread.h"

namespace radix {

// Beats once a second, each beat valid for three, over one stream; opens the stream again, with
// back-off, whenever it breaks. Withdraws the registration when destroyed. Thread-safe.
class Heartbeat {
 public:
  // `beat` says what is registered; its times, its process and its flock are filled in here.
  Heartbeat(const Network& network, heartbeater::v1::BeatRequest beat);
  ~Heartbeat();

  // Beats at once with this status, and from then on.
  void SetStatus(registry::v1::Status status);

 private:
  using Stream = ClientBidi<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>;
  // Shared with the stream's handlers, which may outlive this object by a moment.
  struct Link;

  Instant Tick(Instant now);
  void Open();
  void Beat();

  const Network network_;
  std::mutex mutex_;
  heartbeater::v1::BeatRequest beat_;
  std::shared_ptr<Link> link_;
  Random random_;
  Backoff backoff_;
  Instant not_before_{};       // the next attempt to open a stream
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix
