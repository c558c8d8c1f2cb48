#include "services/confab/fingerprint.h"

#include <sodium.h>

#include <cstring>

namespace radix {

std::uint64_t FingerprintOf(const std::array<std::uint8_t, 32>& public_key) {
  std::array<std::uint8_t, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), public_key.data(), public_key.size(), nullptr, 0);
  std::uint64_t fingerprint = 0;
  std::memcpy(&fingerprint, hash.data(), sizeof(fingerprint));
  return fingerprint;
}

}  // namespace radix
