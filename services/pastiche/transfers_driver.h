// The limits on transfers: how many run at once, and how long one may wait for its other side.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/statusor.h"
#include "services/confab/time.h"
#include "services/confab/timer_thread.h"

namespace radix::pastiche {

struct TransferOptions {
  // Puts, gets and pulls at once, at most; with a chunk each, this bounds their memory.
  std::size_t transfers_max = 64;

  // The longest that a transfer waits for its other side's next chunk, or for it to take one.
  Duration stall_limit = 15s;
};

class Transfers;

// One transfer's place among them, given up when it is destroyed. Thread-safe.
class Transfer {
 public:
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // It waits for its other side from now on.
  void BeginWait();
  // It does so no longer.
  void EndWait();

 private:
  friend class Transfers;
  explicit Transfer(Transfers& transfers) : transfers_(transfers) {}

  Transfers& transfers_;
  std::list<Transfer*>::iterator self_;
  bool waiting_ = false;
  Instant since_;
  std::function<void()> on_stall_;
};

// All of a node's transfers. Thread-safe; outlives the transfers.
class Transfers {
 public:
  explicit Transfers(const TransferOptions& options);

  // Begins a transfer. `on_stall` is called when it waits for longer than the limit, again and
  // again until the wait ends, and perhaps once when it is just over; it must not block.
  // ResourceExhausted when there are too many.
  absl::StatusOr<std::unique_ptr<Transfer>> Begin(std::function<void()> on_stall);

  // Has the transfers be looked at, then calls `then` on their thread.
  void AfterTurn(std::function<void()> then) { timer_.AfterTurn(std::move(then)); }

  Duration stall_limit() const { return options_.stall_limit; }

 private:
  friend class Transfer;
  Instant Tick(Instant now);

  const TransferOptions options_;
  std::mutex mutex_;
  std::list<Transfer*> running_;
  bool busy_ = false;          // whether any ran since the last tick
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::pastiche
