// Addresses as values: parsed and printed, never opened.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace radix {

// An IPv4 or IPv6 address. IPv4 is held as its IPv4-mapped IPv6 address, so that there is one
// order and one size. A link-local scope is not carried.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  // Reads `127.0.0.1` or `fd00::7`. InvalidArgument, quoting the text, if it is neither.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  bool is_v4() const;
  bool is_loopback() const;  // 127.0.0.0/8 or ::1

  // The canonical text, as Parse reads it.
  std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;
};

// Where a socket listens. A netID is the text of one.
struct Endpoint {
  IpAddress ip;
  std::uint16_t port = 0;

  // Reads `127.0.0.1:7117` or `[fd00::7]:4000`. InvalidArgument, quoting the text, otherwise.
  static absl::StatusOr<Endpoint> Parse(std::string_view text);

  std::string ToString() const;

  auto operator<=>(const Endpoint&) const = default;
};

// A charter's address ranges, numbered: slot 0 is the first address of the first range, and so on
// through all ranges in the order in which they were given. A slot names a machine's place in the
// bloc in four bytes.
class AddressRanges {
 public:
  // The most slots that all ranges together may have.
  static constexpr std::uint32_t kSlotsMax = 1U << 24;

  AddressRanges() = default;

  // Reads ranges such as `10.0.0.0/24` (every address of it is a slot), `10.0.0.5-10.0.0.9` or a
  // single address. InvalidArgument, quoting the range, if one is malformed, ends before it
  // starts, overlaps another, or if there are none or more than kSlotsMax slots.
  static absl::StatusOr<AddressRanges> Parse(const std::vector<std::string>& texts);

  // How many slots there are.
  std::uint32_t size() const { return size_; }

  // The address of `slot`. Requires: slot < size().
  IpAddress At(std::uint32_t slot) const;

  // The slot of `address`, or nullopt if it is in none of the ranges.
  std::optional<std::uint32_t> SlotOf(const IpAddress& address) const;

  // The canonical text, `first-last` for each range, comma-separated.
  std::string ToString() const;

 private:
  struct Range {
    IpAddress first;
    IpAddress last;
    std::uint32_t first_slot = 0;
    std::uint32_t count = 0;
  };

  static absl::StatusOr<Range> ParseRange(std::string_view text);

  std::vector<Range> ranges_;
  std::uint32_t size_ = 0;
};

}  // namespace radix
