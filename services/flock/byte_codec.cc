#include <algorithm>

#include "services/flock/packet_codec.h"

namespace radix::flock {

void Writer::Bytes(std::span<const std::uint8_t> bytes) {
  if (!ok_ || room() < bytes.size()) {
    ok_ = false;
    return;
  }
  std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
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
