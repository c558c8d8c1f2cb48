#include "services/flock/key_stream.h"

#include <sodium.h>

#include <array>
#include <cstring>

namespace radix::flock {

KeyStream::~KeyStream() { sodium_memzero(seed_.data(), seed_.size()); }

void KeyStream::Fill(std::span<std::uint8_t> out) {
  std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> nonce{};
  static_assert(sizeof(draw_) <= crypto_stream_chacha20_NONCEBYTES);
  std::memcpy(nonce.data(), &draw_, sizeof(draw_));
  ++draw_;
  crypto_stream_chacha20(out.data(), out.size(), nonce.data(), seed_.data());
}

Key KeyStream::NextKey() {
  Key key;
  Fill(key);
  return key;
}

std::uint64_t KeyStream::NextNumber() {
  std::array<std::uint8_t, 8> bytes{};
  Fill(bytes);
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof(number));
  return number;
}

}  // namespace radix::flock
