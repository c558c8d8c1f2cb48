// Which counters of one sender were accepted already.

#pragma once

#include <algorithm>
#include <cstdint>

namespace radix::flock {

// A sliding window over a sender's counters: each is accepted at most once, in any order within
// the last 64. 16 bytes, because there is one for every contact. Not thread-safe.
//
// Source: RFC 6479, "IPsec Anti-Replay Algorithm without Bit Shifting" (the idea; 64 bits need no
// ring).
class ReplayWindow {
 public:
  // No sender comes that far.
  static constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << 56) - 1;

  // Whether `counter` is new. Changes nothing: ask before the datagram is authenticated.
  bool IsFresh(std::uint64_t counter) const {
    if (counter > greatest_) return counter <= kCounterMax;
    const std::uint64_t age = greatest_ - counter;
    return age < 64 && (seen_ >> age & 1) == 0;
  }

  // Whether the window knows of `counter` that it was not seen; else it was sent before the window
  // began, and must itself show that it is of this time. Requires: IsFresh(counter).
  bool IsSure(std::uint64_t counter) const {
    return counter > greatest_ || greatest_ - counter < sure_;
  }

  // Takes `counter` as seen: only after the datagram was authenticated. Requires: IsFresh(counter).
  void Accept(std::uint64_t counter) {
    if (counter > greatest_) {
      const std::uint64_t step = Advance(counter);
      SetSure(sure_ + std::min<std::uint64_t>(step, 64));
    }
    seen_ |= std::uint64_t{1} << (greatest_ - counter);
  }

  // Starts afresh just below `counter`, of which nothing was seen; of the 63 before it nothing is
  // sure. Requires: counter > 0.
  void StartAt(std::uint64_t counter) {
    greatest_ = (std::min(counter, kCounterMax) - 1) & kCounterMax;
    seen_ = 0;
    sure_ = 0;
    if (greatest_ < 64) seen_ |= std::uint64_t{1} << greatest_;  // 0 is never used as a counter
  }

  // Goes on, after a time of which nothing is known, at `counter`: what is before that is not sure.
  void ResumeAt(std::uint64_t counter) {
    counter = std::min(counter, kCounterMax);
    if (counter > greatest_ + 1) Advance(counter - 1);
    SetSure(counter > greatest_ ? 0 : greatest_ - counter + 1);
  }

  // Whether the window is so far ahead of a sender that said to be at `next` that somebody else
  // must have counted for it: what it sent since then may have come first, but is not so much. A
  // node that stood still answers hundreds at once.
  static constexpr std::uint64_t kOvertakenMax = 4096;
  bool IsAheadOf(std::uint64_t next) const {
    return greatest_ >= next && greatest_ - next >= kOvertakenMax;
  }

  // Of all that it remembers, for tests.
  std::uint64_t Digest() const { return (greatest_ * 65 + sure_) * 0x9e3779b97f4a7c15 ^ seen_; }

 private:
  std::uint64_t Advance(std::uint64_t counter) {
    const std::uint64_t step = counter - greatest_;
    seen_ = step < 64 ? seen_ << step : 0;
    greatest_ = counter & kCounterMax;
    return step;
  }
  void SetSure(std::uint64_t count) {
    sure_ = static_cast<std::uint8_t>(std::min<std::uint64_t>(count, 64));
  }

  std::uint64_t greatest_ : 56 = 0;
  std::uint64_t sure_ : 8 = 64;  // of so many, from `greatest_` down, it is known whether they were
  std::uint64_t seen_ = 1;       // bit i: greatest_ - i was seen
};

// The same for the few datagrams that only two can seal: the last 24, in 8 bytes. Apart from the
// others, since any member can seal those, and could count this one's way past its owner. What was
// sent before the window began is refused. Not thread-safe.
class PairReplayWindow {
 public:
  bool IsFresh(std::uint64_t counter) const {
    if (counter > greatest_) return counter <= kCounterMax;
    const std::uint64_t age = greatest_ - counter;
    return age < kWidth && (seen_ >> age & 1) == 0;
  }

  // Requires: IsFresh(counter), and that its datagram was authenticated.
  void Accept(std::uint64_t counter) {
    if (counter > greatest_) {
      const std::uint64_t step = counter - greatest_;
      seen_ = step < kWidth ? seen_ << step & kAll : 0;
      greatest_ = counter & kCounterMax;
    }
    seen_ = (seen_ | std::uint64_t{1} << (greatest_ - counter)) & kAll;
  }

  // Takes nothing from before `counter`. Never goes back.
  void StartAt(std::uint64_t counter) {
    counter = std::min(counter, kCounterMax);
    if (counter <= greatest_) return;
    greatest_ = (counter - 1) & kCounterMax;
    seen_ = kAll;
  }

  std::uint64_t Digest() const { return greatest_ << kWidth | seen_; }

 private:
  static constexpr int kWidth = 24;
  static constexpr std::uint64_t kAll = (std::uint64_t{1} << kWidth) - 1;
  static constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << 40) - 1;

  std::uint64_t greatest_ : 40 = 0;
  std::uint64_t seen_ : kWidth = 1;
};

}  // namespace radix::flock
