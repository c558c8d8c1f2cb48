// An introduction as bytes, for flock to carry.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/flock/introduction.h"

namespace radix::flock {

// version 1, then name and labels, each as length 1 and text; the number of labels, 1, in between.
//
// InvalidArgument, naming the flag, when the name or a label is none, or when together they are
// longer than kIntroductionSizeMax.
absl::StatusOr<std::vector<std::uint8_t>> EncodeIntroduction(const Introduction& introduction);

// Reads what another node says. InvalidArgument when it is anything but what EncodeIntroduction
// makes.
absl::StatusOr<Introduction> DecodeIntroduction(std::span<const std::uint8_t> bytes);

}  // namespace radix::flock
