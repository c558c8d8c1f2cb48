// Which counters of one sender were accepted already.

#pragma once

#include <cstdint>

namespace radix::flock {

// A sliding window over a sender's counters: each is accepted at most once, in any order within
// the last 64. 16 bytes, because there is one for every contact. Not thread-safe.
//
// Source: RFC 6479, "IPsec Anti-Replay Algorithm without Bit Shifting" (the idea; 64 bits need no
// ring).
class ReplayWindow {
 public:
  // Whether `counter` is new. Changes nothing: ask before the datagram is authenticated.
  bool IsFresh(std::uint64_t counter) const {
    if (counter > greatest_) return true;
    const std::uint64_t age = greatest_ - counter;
    return age < 64 && (seen_ >> age & 1) == 0;
  }

  // Takes `counter` as seen: only after the datagram was authenticated. Requires: IsFresh(counter).
  void Accept(std::uint64_t counter) {
    if (counter > greatest_) {
      const std::uint64_t step = counter - greatest_;
      seen_ = step < 64 ? seen_ << step | 1 : 1;
      greatest_ = counter;
    } else {
      seen_ |= std::uint64_t{1} << (greatest_ - counter);
    }
  }

  // Starts afresh just below `counter`, of which nothing was seen; see Contact::proven_at for what
  // guards the 63 before it. Requires: counter > 0.
  void StartAt(std::uint64_t counter) {
    greatest_ = counter - 1;
    seen_ = 0;
    if (greatest_ < 64) seen_ |= std::uint64_t{1} << greatest_;  // 0 is never used as a counter
  }

 private:
  std::uint64_t greatest_ = 0;
  std::uint64_t seen_ = 1;  // bit i: greatest_ - i was seen
};

}  // namespace radix::flock
