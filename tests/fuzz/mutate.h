// Makes new inputs out of known ones, always the same from the same seed.

#pragma once

#include <cstdint>
#include <vector>

#include "services/confab/random.h"

namespace radix::fuzz {

// One of `corpus`, changed in one to eight places: bits, numbers, pieces left out, doubled, or
// taken from another one. At most kInputMax bytes. Requires: `corpus` is not empty.
inline constexpr std::size_t kInputMax = 8192;
std::vector<std::uint8_t> Mutate(const std::vector<std::vector<std::uint8_t>>& corpus,
                                 Random& random);

}  // namespace radix::fuzz
