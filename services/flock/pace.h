// How often something may happen.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "services/confab/time.h"
#include "services/flock/contact.h"

namespace radix::flock {

// Lets something happen once in `interval` over time, and up to `burst` times at once after a
// silence. What is refused costs nothing later. Not thread-safe.
//
// Source: the generic cell rate algorithm (ITU-T I.371).
class Pace {
 public:
  Pace(Duration interval, int burst) : interval_(interval), credit_(interval * burst) {}

  // Whether it may happen now.
  bool Has(Instant now) const { return Next(now) <= now; }

  // Whether it may happen now; if so, it counts as done.
  bool Take(Instant now) {
    const bool may = Has(now);
    if (may) next_ = Next(now);
    return may;
  }

 private:
  Instant Next(Instant now) const { return std::max(next_, now - credit_) + interval_; }

  Duration interval_;
  Duration credit_;
  Instant next_ = kNever;
};

// A pace for each member, and so one for all of them, in a kilobyte: members whose slots are equal
// modulo kPlaces share one. Not thread-safe.
class MemberPaces {
 public:
  static constexpr std::size_t kPlaces = 128;

  MemberPaces(Duration interval, int burst) : interval_(interval), credit_(interval * burst) {
    next_.fill(kNever);
  }

  // Whether it may happen now for the member of `slot`; if so, it counts as done.
  bool Take(std::uint32_t slot, Instant now) {
    Instant& next = next_[slot % kPlaces];
    const Instant at = std::max(next, now - credit_) + interval_;
    if (at > now) return false;
    next = at;
    return true;
  }

 private:
  Duration interval_;
  Duration credit_;
  std::array<Instant, kPlaces> next_;
};

}  // namespace radix::flock
