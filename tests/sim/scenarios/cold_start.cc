#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {

const Scenario kColdStart = {"cold-start", "all nodes power up, and know nothing", nullptr,
                             [](Course& course) {
                               course.ForbidWrongRemovals();
                               course.BootAll();
                               course.AwaitConvergence();
                             }};

}  // namespace radix::sim
