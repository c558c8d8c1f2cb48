// The scenarios there are, one in each file beside this one.

#pragma once

#include <string_view>

#include "tests/sim/course.h"

namespace radix::sim {

struct Scenario {
  std::string_view name;
  std::string_view what;                     // for people, one line
  void (*prepare)(ClusterOptions& options);  // nullptr: the options are as asked for
  void (*run)(Course& course);
};

extern const Scenario kBlocs;
extern const Scenario kChurn;
extern const Scenario kColdStart;
extern const Scenario kGray;
extern const Scenario kIdle;
extern const Scenario kInsider;
extern const Scenario kIslands;
extern const Scenario kOverload;
extern const Scenario kPartition;
extern const Scenario kRackFailure;
extern const Scenario kReplay;
extern const Scenario kRestarts;
extern const Scenario kRotation;
extern const Scenario kSwarm;

}  // namespace radix::sim
