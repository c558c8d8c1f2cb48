#include "services/flock/session_tokens.h"

#include <sodium.h>

#include <cstring>

#include "services/flock/packet_codec.h"

namespace radix::flock {

std::uint64_t SessionTokens::Make(const MemberId& member, std::int64_t period) const {
  std::array<std::uint8_t, 20> input{};
  Writer out(input);
  out.Id(member);
  out.U64(static_cast<std::uint64_t>(period));
  std::array<std::uint8_t, crypto_shorthash_BYTES> hash{};
  static_assert(crypto_shorthash_KEYBYTES == 16);
  crypto_shorthash(hash.data(), input.data(), input.size(), secret_.data());
  std::uint64_t token = 0;
  std::memcpy(&token, hash.data(), sizeof(token));
  return token;
}

}  // namespace radix::flock
