// What must hold at every instant of every simulation.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/flock.h"

namespace radix::sim {

// Collects violations; each is a sentence with the true time. Not thread-safe.
class Invariants {
 public:
  explicit Invariants(std::size_t nodes) : leads_(nodes), grants_(nodes) {}

  // `node` stands at true time `now` like this; `until` is in true time.
  void CheckLeadership(std::size_t node, Instant now, std::uint64_t epoch, Instant until);
  void CheckNoLeadership(std::size_t node, Instant now);
  // `node` crashed: what it was handed before still holds until it ends.
  void Orphan(std::size_t node);
  // `node` promises this now; ForgetPromises when it lost its disk.
  void CheckPromise(std::size_t node, Instant now, const flock::Promise& promise);
  void ForgetPromises(std::size_t node) { grants_[node] = {}; }
  // Without disks, epochs may start again; then they are not compared across leaders.
  void set_disks_intact(bool intact) { disks_intact_ = intact; }

  // The datagram `id` was accepted by that boot of a node; copies and replays have the same id.
  void CheckAccepted(std::uint64_t id, std::uint64_t boot, Instant now);
  // Every member that is listed anywhere must have existed.
  void CheckMembers(const std::vector<flock::MemberView>& members,
                    const std::set<flock::MemberId>& ever, Instant now);
  void Report(Instant now, const std::string& what);

  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t sealings() const { return sealings_; }

 private:
  struct Lead {
    std::uint64_t epoch = 0;
    Instant until{};
  };

  std::vector<Lead> leads_;
  std::vector<std::size_t> leading_;  // those whose leadership may still run
  std::vector<flock::Promise> grants_;
  std::uint64_t greatest_epoch_ = 0;
  std::uint64_t sealings_ = 0;
  bool disks_intact_ = false;
  std::set<std::pair<std::uint64_t, std::uint64_t>> accepted_;
  std::vector<std::string> violations_;
};

}  // namespace radix::sim
