#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {

const Scenario kColdStart = {
    .name = "cold-start",
    .what = "all nodes power up, and know nothing",
    .run =
        [](Course& course) {
          course.ForbidWrongRemovals();
          course.BootAll();
          course.AwaitConvergence();
        },
};

}  // namespace radix::sim
