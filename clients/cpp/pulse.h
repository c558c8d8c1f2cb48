// How a built-in service shows the supervisor that it does not hang.

#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "services/confab/serve.h"
#include "services/confab/timer_thread.h"

namespace radix {

// Has `alive` called from where the service does its work, after a turn of that work. Called on one
// of gRPC's threads; may wait for the service's own locks, and for nothing else.
using ProveAlive = std::function<void(std::function<void()> alive)>;

// That of a service whose AfterTurn has a turn of its loop taken. `service` outlives it.
template <typename Service>
ProveAlive AfterTurnOf(Service& service) {
  return [&service](std::function<void()> alive) { service.AfterTurn(std::move(alive)); };
}

// Says to the supervisor, about once a second, that this service is alive; when it falls silent for
// some ten seconds, the supervisor kills it and starts it again (fulcrum/watchdog.h).
//
// What the word proves, each time anew: gRPC's threads answered a call to this very server, so they
// are not all stuck; and then `prove` has called back, so the service's own loop took a turn, with
// whatever locks that needs. A process that is stopped, or in a deadlock, says nothing: no thread
// says the word that does only that.
//
// What it does not prove: that the service answers rightly, or that threads which may wait for a
// disk or another node for long get on; they have limits of their own.
//
// Thread-safe.
class Pulse {
 public:
  // `server` outlives it. Without `prove`, the first half is all that is proved.
  Pulse(confab::Server& server, ProveAlive prove);

  // Waits while `prove` is being called; whatever calls back later is ignored.
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

 private:
  // Shared with calls that end later than this object.
  struct State;

  Instant Tick(Instant now);

  confab::Server& server_;
  const std::shared_ptr<State> state_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix
