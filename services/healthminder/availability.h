// What is up in the group, since when, and what flaps.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "services/confab/time.h"
#include "services/registry/instance_table.h"

namespace radix::healthminder {

// One instance's availability.
struct Availability {
  registry::Instance instance;  // as it was last seen
  Duration age{};               // how long it has had its present status
  Duration up{};                // how long it was serving or draining in all, since first seen
  std::uint32_t flaps = 0;      // times that its (node, horde, api, inst) went from up to dead
};

// Follows the group's table. What died is remembered for an hour, at most kEntriesMax entries.
// Not thread-safe.
class AvailabilityLog {
 public:
  static constexpr Duration kRemember = 1h;
  static constexpr std::size_t kEntriesMax = 20'000;
  // A reeve that was restarted learns the group's table anew; so long it may take.
  static constexpr Duration kSettle = 10s;

  // Changes of the group's table. What a snapshot does not name died, as far as one knows, at
  // `now`; but if its origin is new, only if it is not named within kSettle either.
  void HandleDelta(const registry::Delta& delta, Instant now);

  // Everything seen within the last hour that `selector` matches, in InstanceId order.
  std::vector<Availability> List(const registry::Selector& selector, Instant now);

 private:
  struct Entry {
    registry::Instance instance;
    Instant since;
    Duration up_before{};  // in earlier lives
    Instant up_since;      // while it is not dead
    bool missing = false;  // not named yet by a new origin
  };
  // What keeps its name when it starts again at another port.
  using FlapKey = std::tuple<std::string, std::string, std::string, std::string>;
  struct Flaps {
    std::uint32_t count = 0;
    Instant latest;
  };

  void Apply(const registry::Instance& instance, Instant now);
  void Bury(Entry& entry, Instant now);
  void Settle(Instant now);
  void Forget(Instant now);
  static FlapKey KeyOf(const registry::InstanceId& id);

  std::string origin_;
  Instant settles_at_ = Instant::max();  // then what is missing is dead
  std::map<registry::InstanceId, Entry> entries_;
  std::map<FlapKey, Flaps> flaps_;
};

}  // namespace radix::healthminder
