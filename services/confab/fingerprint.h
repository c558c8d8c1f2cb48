// What flock's tables know a node's public key by.

#pragma once

#include <array>
#include <cstdint>

namespace radix {

// The first 8 bytes of the BLAKE2b hash (16 bytes) of a node's Ed25519 public key, as the machine
// orders them. Ten thousand of them are in every table, which is why it is no longer: to find a key
// that has the fingerprint of one of ten thousand given nodes takes about 2^51 tries.
std::uint64_t FingerprintOf(const std::array<std::uint8_t, 32>& public_key);

}  // namespace radix
