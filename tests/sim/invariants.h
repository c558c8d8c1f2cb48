// What must hold at every instant of every simulation.

#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/flock.h"

namespace radix::sim {

// Collects violations; each is a sentence with the true time. Everything here is asked after every
// step of every node, so it costs nothing that grows with the bloc. Not thread-safe.
class Invariants {
 public:
  Invariants(std::size_t nodes, std::size_t slots);

  // `id` is `node` from now on. Only who booted may ever be listed anywhere.
  void Booted(std::size_t node, const flock::MemberId& id);
  // Somebody lists members that are not: what is listed is not held against anybody.
  void set_lists_may_lie(bool may) { lists_may_lie_ = may; }
  // `node` stood still until now.
  void Resumed(std::size_t node) { stood_still_[node] = true; }
  // `node` reported `event`: it may list, and call sealed, only what there was, and say only of
  // a pause that it stood still.
  void CheckEvent(std::size_t node, Instant now, const flock::Event& event);

  // `node` stands at true time `now` like this; `until` is in true time.
  void CheckLeadership(std::size_t node, Instant now, const flock::Leadership& leads,
                       Instant until);
  void CheckNoLeadership(std::size_t node, Instant now);
  // From `from` on `node` is never sealed: too few are left who would grant it a lease. Once said,
  // it is not put off.
  void MayNotLead(std::size_t node, Instant from);
  // `node` crashed: what it was handed before still holds until it ends.
  void Orphan(std::size_t node);
  // `node` promises this now; ForgetPromises when it lost its disk.
  void CheckPromise(std::size_t node, Instant now, const flock::Promise& promise);
  void ForgetPromises(std::size_t node) { grants_[node] = {}; }
  // Without disks, epochs may start again; then they are not compared across leaders.
  void set_disks_intact(bool intact) { disks_intact_ = intact; }

  // `node` sends this: no counter may be used twice towards one slot. Only watched in blocs of at
  // most kCountersWatchedMax nodes.
  static constexpr std::size_t kCountersWatchedMax = 1000;
  void CheckSent(std::size_t node, Instant now, std::uint32_t to_slot,
                 std::span<const std::uint8_t> datagram);
  // The datagram `id` was accepted by that boot of a node; copies and replays have the same id.
  void CheckAccepted(std::uint64_t id, std::uint64_t boot, Instant now);
  void Report(Instant now, const std::string& what);

  // How many there were, and the texts of the first of them.
  std::uint64_t violation_count() const { return violation_count_; }
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t sealings() const { return sealings_; }
  // Whether `node` was ever sealed.
  bool led(std::size_t node) const { return led_[node]; }

 private:
  struct Lead {
    flock::MemberId leader;
    std::uint64_t epoch = 0;
    Instant until{};
  };

  bool EverBooted(const flock::MemberId& id) const;

  std::vector<Lead> leads_;
  std::vector<bool> led_;
  std::vector<Instant> may_lead_until_;
  std::vector<std::size_t> leading_;  // those whose leadership may still run
  std::vector<flock::Promise> grants_;
  std::vector<std::uint64_t> boots_;  // the latest of each slot
  std::vector<bool> stood_still_;     // by node; and it has not said so
  std::set<flock::MemberId> earlier_boots_;
  std::set<std::pair<flock::MemberId, std::uint64_t>> sealed_;  // who was, under which epoch
  std::vector<std::vector<std::uint64_t>> counters_;            // of nodes, by slot
  std::uint64_t greatest_epoch_ = 0;
  std::uint64_t sealings_ = 0;
  bool disks_intact_ = false;
  bool lists_may_lie_ = false;
  std::set<std::pair<std::uint64_t, std::uint64_t>> accepted_;
  std::uint64_t violation_count_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace radix::sim
