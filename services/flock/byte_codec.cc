#include <algorithm>

#include "services/flock/packet_codec.h"

namespace radix::flock {

void Writer::Number(std::uint64_t value, std::size_t bytes) {
  if (!ok_ || room() < bytes) {
    ok_ = false;
    return;
  }
  for (std::size_t i = 0; i < bytes; ++i) {
    out_[size_++] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

void Writer::Bytes(std::span<const std::uint8_t> bytes) {
  if (!ok_ || room() < bytes.size()) {
    ok_ = false;
    return;
  }
  std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
}

std::uint64_t Reader::Number(std::size_t bytes) {
  if (!ok_ || in_.size() < bytes) {
    ok_ = false;
    return 0;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::uint64_t{in_[i]} << (8 * i);
  in_ = in_.subspan(bytes);
  return value;
}

std::span<const std::uint8_t> Reader::Bytes(std::size_t count) {
  if (!ok_ || in_.size() < count) {
    ok_ = false;
    return {};
  }
  const auto bytes = in_.first(count);
  in_ = in_.subspan(count);
  return bytes;
}

Key Reader::ReadKey() {
  Key key{};
  const auto bytes = Bytes(key.size());
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

}  // namespace radix::flock
