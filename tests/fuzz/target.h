// What a fuzz target says of itself to the driver, besides LLVMFuzzerTestOneInput.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace radix::fuzz {

// What kept inputs have to hold, and `inputs` do not, in words: without it the target would run,
// and try nothing. Empty if they hold all.
std::string MissingFrom(const std::vector<std::vector<std::uint8_t>>& inputs);

}  // namespace radix::fuzz
