// Rules of flock's leases, broken on purpose: the simulator must see it.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>

#include "tests/sim/scenario.h"

namespace radix::sim {
namespace {

// Whether any of the first `seeds` swarms of four nodes has a violation.
bool IsCaught(std::uint64_t seeds, const std::function<void(ScenarioOptions&)>& weaken) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    ScenarioOptions options;
    options.name = "swarm";
    options.nodes = 4;
    options.seed = seed;
    weaken(options);
    const auto result = RunScenario(options);
    if (result.ok() && !result->violations.empty()) return true;
  }
  return false;
}

TEST(MutantTest, AQuorumOfHalfIsCaught) {
  // A charter that says at most three, for four nodes: two are taken for a quorum.
  EXPECT_TRUE(IsCaught(200, [](ScenarioOptions& options) { options.false_at_most = 3; }));
}

// Two clocks have to run apart just while a leadership moves: the first seed that does it is 1235.
TEST(MutantTest, ALeaseWithoutAMarginForDriftingClocksIsCaught) {
  EXPECT_TRUE(
      IsCaught(4000, [](ScenarioOptions& options) { options.tunables.clock_drift_e4 = 0; }));
}

TEST(MutantTest, NothingIsCaughtWhereNothingIsBroken) {
  EXPECT_FALSE(IsCaught(20, [](ScenarioOptions&) {}));
}

}  // namespace
}  // namespace radix::sim
