// The scenarios there are, one in each file beside this one.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/sim/course.h"

namespace radix::sim {

struct Scenario {
  std::string_view name;
  std::string_view what;                               // for people, one line
  void (*prepare)(ClusterOptions& options) = nullptr;  // null: the options are as asked for
  void (*run)(Course& course);
  std::size_t nodes_least = 1;  // fewer cannot do what it is about
  bool uses_length = false;
  bool uses_count = false;
  bool shares_processors = false;  // and so uses --load and --buffer
  // What else is wrong with the options, beginning with the flag; empty when nothing. Null: nothing
  // else can be.
  std::string (*check)(const ScenarioOptions& options) = nullptr;
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
extern const Scenario kRevocations;
extern const Scenario kRotation;
extern const Scenario kSwarm;
extern const Scenario kSwarmAtBoot;

}  // namespace radix::sim
