// Secrets drawn from one seed, so that a simulation is the same each time.

#pragma once

#include <cstdint>
#include <span>

#include "services/flock/config.h"

namespace radix::flock {

// A deterministic generator fit for keys: the ChaCha20 key stream under `seed`. In production the
// seed is real entropy, drawn anew at each start. Not thread-safe.
class KeyStream {
 public:
  explicit KeyStream(const Key& seed) : seed_(seed) {}
  ~KeyStream();
  KeyStream(const KeyStream&) = delete;
  KeyStream& operator=(const KeyStream&) = delete;

  void Fill(std::span<std::uint8_t> out);
  Key NextKey();
  std::uint64_t NextNumber();

 private:
  Key seed_;
  std::uint64_t draw_ = 0;  // the nonce of the next draw
};

}  // namespace radix::flock
