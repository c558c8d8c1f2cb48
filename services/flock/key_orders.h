// Orders about the secondary key that were given at this node, on their way to the leader.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/key_order.h"
#include "services/flock/member.h"

namespace radix::flock {

// Repeats each order until its answer comes: a repeated one does nothing twice. Not thread-safe.
class KeyOrders {
 public:
  static constexpr std::size_t kMax = 16;
  static constexpr Duration kRepeat = 300ms;
  static constexpr Duration kGiveUp = 5s;

  struct Waiting {
    std::uint64_t id = 0;  // of the order; not 0
    KeyOrder order;
    Instant next;
    Instant until;
    std::optional<MemberId> asked;  // the leader that it was sent to last
    KeyReport report;               // what is answered when the time is up
  };

  // Takes an order and names it; 0 if kMax are waiting.
  std::uint64_t Add(const KeyOrder& order, Instant now) {
    if (waiting_.size() == kMax) return 0;
    waiting_.push_back({++last_id_, order, now, now + kGiveUp, std::nullopt, {}});
    return last_id_;
  }

  // Those to be sent now; they are due again in a while.
  std::vector<Waiting> Due(Instant now) {
    std::erase_if(waiting_, [&](const Waiting& waiting) {
      if (now < waiting.until) return false;
      answered_.push_back({waiting.id, waiting.report});
      return true;
    });
    std::vector<Waiting> due;
    for (Waiting& waiting : waiting_) {
      if (now < waiting.next) continue;
      waiting.next = now + kRepeat;
      due.push_back(waiting);
    }
    return due;
  }
  // The order `id` was sent to `leader`: call before its answer can come.
  void HandleSent(std::uint64_t id, const MemberId& leader) {
    for (Waiting& waiting : waiting_) {
      if (waiting.id == id) waiting.asked = leader;
    }
  }
  Instant next() const {
    Instant next = Instant::max();
    for (const Waiting& waiting : waiting_) {
      next = std::min({next, waiting.next, waiting.until});
    }
    return next;
  }

  // `from` answered the order `id`. Whoever was not asked is not believed. A leader that has only
  // just been sealed is asked again.
  void HandleReport(std::uint64_t id, const MemberId& from, const KeyReport& report) {
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (at->id != id || at->asked != from) continue;
      at->report = report;
      if (report.result == KeyResult::kNotSettled) return;
      answered_.push_back({id, report});
      waiting_.erase(at);
      return;
    }
  }

  std::optional<KeyAnswer> Poll() {
    if (answered_.empty()) return std::nullopt;
    KeyAnswer answered = std::move(answered_.front());
    answered_.erase(answered_.begin());
    return answered;
  }

 private:
  std::vector<Waiting> waiting_;
  std::vector<KeyAnswer> answered_;  // at most kMax more than were asked for
  std::uint64_t last_id_ = 0;
};

}  // namespace radix::flock
