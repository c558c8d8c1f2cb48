// Datagrams waiting to be sent.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace radix::flock {

// First in, first out, in one buffer that is reused: no allocation per datagram. Not thread-safe.
class Outbox {
 public:
  struct Entry {
    std::uint32_t slot = 0;
    std::span<const std::uint8_t> bytes;  // valid until the next Push
  };

  void Push(std::uint32_t slot, std::span<const std::uint8_t> bytes) {
    if (next_ == places_.size()) Clear();
    places_.push_back({slot, static_cast<std::uint32_t>(bytes.size()), bytes_.size()});
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  std::optional<Entry> Poll() {
    if (next_ == places_.size()) return std::nullopt;
    const Place& place = places_[next_++];
    return Entry{place.slot, std::span(bytes_).subspan(place.start, place.size)};
  }

 private:
  struct Place {
    std::uint32_t slot = 0;
    std::uint32_t size = 0;
    std::size_t start = 0;
  };

  void Clear() {
    places_.clear();
    bytes_.clear();
    next_ = 0;
    if (bytes_.capacity() > kKeep) bytes_.shrink_to_fit();
  }

  static constexpr std::size_t kKeep = 64 * 1024;
  std::vector<Place> places_;
  std::vector<std::uint8_t> bytes_;
  std::size_t next_ = 0;
};

}  // namespace radix::flock
