// What is wrong with a program, and where.

#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/khan/program.h"

namespace radix::khan {

// What was wrong, and where; an empty message for nothing.
struct Fault {
  Position at;
  std::string message;
};

// InvalidArgument, beginning with the place as Program::Parse says.
absl::Status ToStatus(const Fault& fault, const Source& source);

}  // namespace radix::khan
