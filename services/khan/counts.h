// Which counts of a program can never be, whatever nodes there are.

#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "services/khan/program.h"

namespace radix::khan {

// What a group can hold.
struct Capacity {
  std::int64_t nodes = 0;               // the most that there will ever be; > 0
  std::int64_t instances_per_node = 0;  // > 0
};

// Looks at the count of every pick, with size(ALL) anywhere in [1, nodes] and any other size in
// [0, nodes]. What is wrong for only some of those sizes is not refused: nodes come and go, and
// Evaluate says it when it is so.
//
// InvalidArgument, beginning with the place as Program::Parse says, for the first count that is
// wrong for all of them: it divides by zero, is below zero, is more than `capacity` holds or than
// kInstancesMax, or its numbers are too large to compute.
absl::Status CheckCounts(const Program& program, const Capacity& capacity,
                         const Source& source = {});

}  // namespace radix::khan
