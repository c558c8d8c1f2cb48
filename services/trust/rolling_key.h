// When a server takes another key.

#pragma once

#include <cstdint>
#include <optional>

#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix::trust {

// A server's key rolls twice a day, and on demand: another is made and announced beside it; some
// time later, when callers know both, it is shown to new connections; and some time after that the
// old one is forgotten. Nothing that is connected notices. Not thread-safe.
class RollingKey {
 public:
  enum class Step : std::uint8_t {
    kMake,    // make another key, and announce it beside the one that is shown
    kShow,    // show it
    kForget,  // announce it alone
  };

  static constexpr Duration kPeriod = 12h;
  // Callers on other nodes hear of a key in milliseconds, and when a link to them broke in some
  // seconds. Whoever has not heard of it by then is refused by its own care, and asks anew.
  static constexpr Duration kAnnounced = 10s;
  static constexpr Duration kOverlap = 10s;

  RollingKey(Instant now, std::uint64_t seed) : random_(seed) { Plan(now); }

  // Another key is wanted now, or as soon as the present roll is over.
  void Demand(Instant now) {
    if (step_ == Step::kMake)
      next_time_ = now;
    else
      demanded_ = true;
  }

  // The next step, if its time has come; then it has been taken.
  std::optional<Step> Poll(Instant now) {
    if (now < next_time_) return std::nullopt;
    const Step taken = step_;
    switch (taken) {
      case Step::kMake:
        step_ = Step::kShow;
        next_time_ = now + kAnnounced;
        break;
      case Step::kShow:
        step_ = Step::kForget;
        next_time_ = now + kOverlap;
        break;
      case Step::kForget:
        Plan(now);
        break;
    }
    return taken;
  }

  Instant next_time() const { return next_time_; }

 private:
  // Not all servers of a group at once.
  void Plan(Instant now) {
    step_ = Step::kMake;
    next_time_ = demanded_ ? now : now + random_.Between(kPeriod * 8 / 10, kPeriod);
    demanded_ = false;
  }

  Random random_;
  Step step_ = Step::kMake;
  Instant next_time_;
  bool demanded_ = false;
};

}  // namespace radix::trust
