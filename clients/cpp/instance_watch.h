// What this node's reeve knows of the instances that a selector names, as it changes.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "clients/cpp/network.h"
#include "radix/registry/v1/registry.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/timer_thread.h"

namespace radix {

// Watches through STATE/reeve.sock. A watch that breaks is opened again with back-off, over a fresh
// channel; so is one that was silent for `rescan`, which makes reeve send everything again. What is
// known stays known while there is no reeve. Thread-safe.
class InstanceWatch {
 public:
  // Called for each step, one at a time, on gRPC's threads; must not block. With `delta.snapshot`
  // it holds everything.
  using OnDelta = std::function<void(const registry::v1::Delta& delta)>;

  InstanceWatch(const Network& network, registry::v1::Selector selector, Duration rescan,
                OnDelta on_delta);
  // `on_delta` is not called any more when this returns.
  ~InstanceWatch();

  // Why the last watch ended; empty while one works.
  std::string error() const;

 private:
  struct Link;  // shared with a stream's handlers, which may outlive this object by a moment

  Instant Tick(Instant now);
  void Open(Instant now);

  const Network network_;
  const registry::v1::Selector selector_;
  const Duration rescan_;
  const OnDelta on_delta_;
  mutable std::mutex mutex_;  // of these four; taken after a Link's, never before it
  std::shared_ptr<Link> link_;
  std::string error_;
  Instant not_before_{};
  bool stopping_ = false;
  Random random_;
  Backoff backoff_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix
