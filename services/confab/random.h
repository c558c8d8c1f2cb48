// Deterministic randomness for cores and simulations.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "services/confab/time.h"

namespace radix {

// A pseudo-random generator: the same seed gives the same draws, on every machine and compiler.
//
// That promise is why cores use it rather than <random>, whose distributions differ between
// standard libraries, or absl::BitGen, whose draws differ between runs. Never use it for secrets:
// keys and nonces come from libsodium.
//
// Not thread-safe; every core owns one.
//
// Source: SplitMix64, in Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
// OOPSLA 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  // Draws from the whole range of 64 bits.
  std::uint64_t Next();

  // Draws from [0, limit). Requires: limit > 0. Biased by less than limit / 2^64.
  std::uint64_t Below(std::uint64_t limit);

  // True with the given probability, in [0, 1].
  bool Chance(double probability);

  // Draws from [low, high]. Requires: low <= high.
  Duration Between(Duration low, Duration high);

  // Puts `items` in a random order.
  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (std::size_t left = items.size(); left > 1; --left) {
      std::swap(items[left - 1], items[static_cast<std::size_t>(Below(left))]);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace radix
