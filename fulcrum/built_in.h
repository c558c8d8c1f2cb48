// The services that are linked into this binary.

#pragma once

#include <string_view>

namespace radix::fulcrum {

// A service's entry point, as services/X/run.h declares it.
using RunService = int(int argc, char** argv);

// The entry point of `name`; nullptr when there is no such service.
RunService* FindBuiltIn(std::string_view name);

}  // namespace radix::fulcrum
