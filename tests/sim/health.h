// Who was removed, whether rightly, and how soon.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/event.h"

namespace radix::sim {

// Follows the nodes' lists from outside, where it is known who is well. Not thread-safe.
class Health {
 public:
  explicit Health(std::size_t nodes) : sick_until_(nodes) {}

  // `node` is impaired from now on, or no longer: what others think of it, and it of others, is not
  // held against anybody, nor for 10 s after its recovery.
  void SetSick(std::size_t node, bool sick, Instant now);
  bool IsSick(std::size_t node, Instant now) const { return now < sick_until_[node]; }

  // The boot `id` of a node ended at `now` without a word.
  void Crashed(const flock::MemberId& id, Instant now);
  // `observer` removed a member. `subject`: the node that is that member and up, if there is one.
  void Removed(std::size_t observer, const flock::MemberId& id, const std::size_t* subject,
               Instant now);

  // Removals of nodes that were well, from the lists of nodes that were well and of sick ones.
  std::uint64_t wrong_removals() const { return wrong_removals_; }
  std::uint64_t wrong_removals_by_sick() const { return wrong_removals_by_sick_; }
  // `observer` lists the boot `id`, perhaps again.
  void Listed(std::size_t observer, const flock::MemberId& id);
  // `observer` lists it no longer, if it did: another boot replaced it there, or it said good-bye.
  void Unlisted(std::size_t observer, const flock::MemberId& id, Instant now);

  // For each crash, how long it took until it was off the last list of a node that was well;
  // sorted. Those that nobody found dead, since they booted again or said good-bye, are left out.
  std::vector<Duration> RemovalTimes() const;

 private:
  struct Crash {
    Instant at;
    Instant last_removed;
    bool found_dead = false;
    std::vector<bool> removed_by;  // by observer
  };

  std::vector<Instant> sick_until_;
  std::map<flock::MemberId, Crash> crashes_;
  std::uint64_t wrong_removals_ = 0;
  std::uint64_t wrong_removals_by_sick_ = 0;
};

}  // namespace radix::sim
