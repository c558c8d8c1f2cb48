#include "services/confab/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix {
namespace {

constexpr std::string_view kRange =
    "address range, such as 10.1.0.0/16, 10.1.0.1-10.1.0.9 or one address";
constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Adds `offset` to an address, as one big number. Only the low four bytes can carry so far that it
// matters here; an overflow wraps, which the callers exclude.
IpAddress Plus(IpAddress address, std::uint32_t offset) {
  std::uint64_t carry = offset;
  for (std::size_t i = address.bytes.size(); i-- > 0 && carry != 0;) {
    carry += address.bytes[i];
    address.bytes[i] = static_cast<std::uint8_t>(carry & 0xff);
    carry >>= 8;
  }
  return address;
}

// last - first, or nullopt when that is negative or above `limit`.
std::optional<std::uint32_t> Distance(const IpAddress& first, const IpAddress& last,
                                      std::uint32_t limit) {
  if (last < first) return std::nullopt;
  std::uint64_t distance = 0;
  for (std::size_t i = 0; i < first.bytes.size(); ++i) {
    // Once it exceeds the limit before the last byte, it can only grow: the borrow is at most one.
    const std::int64_t next = static_cast<std::int64_t>(distance << 8) + last.bytes[i] -
                              static_cast<std::int64_t>(first.bytes[i]);
    if (next > (std::int64_t{1} << 40)) return std::nullopt;
    distance = static_cast<std::uint64_t>(next);
  }
  if (distance > limit) return std::nullopt;
  return static_cast<std::uint32_t>(distance);
}

absl::Status Malformed(std::string_view what, std::string_view text) {
  constexpr std::size_t kShown = 100;  // of a text that may have come over the network
  return absl::InvalidArgumentError(absl::StrCat("'", std::string(text.substr(0, kShown)),
                                                 text.size() > kShown ? "..." : "", "' is no ",
                                                 std::string(what)));
}

std::optional<std::uint32_t> ParseNumber(std::string_view text, std::uint32_t limit) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > limit) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Malformed("IP address", text);
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + kV4Prefix.size()) == 1) {
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes.begin());
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return Malformed("IP address", text);
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  IpAddress one;
  one.bytes[15] = 1;
  return *this == one;
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? kV4Prefix.size() : 0), text.data(),
            text.size());
  return text.data();
}

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Malformed("address:port", text);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::Parse(host);
  const auto port = ParseNumber(text.substr(colon + 1), 65535);
  if (!ip.ok() || !port || *port == 0 || ip->is_v4() == bracketed) {
    return Malformed("address:port", text);
  }
  return Endpoint{*ip, static_cast<std::uint16_t>(*port)};
}

std::string Endpoint::ToString() const {
  return ip.is_v4() ? absl::StrCat(ip.ToString(), ":", port)
                    : absl::StrCat("[", ip.ToString(), "]:", port);
}

absl::StatusOr<AddressRanges::Range> AddressRanges::ParseRange(std::string_view text) {
  Range range;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto base = IpAddress::Parse(text.substr(0, slash));
    const auto bits = ParseNumber(text.substr(slash + 1), base.ok() && base->is_v4() ? 32 : 128);
    if (!base.ok() || !bits) return Malformed(kRange, text);
    const std::uint32_t host_bits = (base->is_v4() ? 32 : 128) - *bits;
    if (host_bits > 24) {
      return absl::InvalidArgumentError(
          absl::StrCat("range '", std::string(text), "' has more than ", kSlotsMax, " addresses"));
    }
    range.first = *base;
    range.last = Plus(*base, (1U << host_bits) - 1);
    for (std::uint32_t bit = 0; bit < host_bits; ++bit) {
      if (base->bytes[15 - bit / 8] & (1U << (bit % 8))) {
        return absl::InvalidArgumentError(absl::StrCat(
            "range '", std::string(text), "' has bits set behind its prefix of /", *bits));
      }
    }
  } else {
    const std::size_t dash = text.find('-');
    const auto first = IpAddress::Parse(text.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : IpAddress::Parse(text.substr(dash + 1));
    if (!first.ok() || !last.ok() || first->is_v4() != last->is_v4()) {
      return Malformed(kRange, text);
    }
    range.first = *first;
    range.last = *last;
  }
  const auto distance = Distance(range.first, range.last, kSlotsMax - 1);
  if (!distance) {
    return absl::InvalidArgumentError(absl::StrCat(
        "range '", std::string(text), "' ",
        range.last < range.first ? "ends before it starts"
                                 : absl::StrCat("has more than ", kSlotsMax, " addresses")));
  }
  range.count = *distance + 1;
  return range;
}

absl::StatusOr<AddressRanges> AddressRanges::Parse(const std::vector<std::string>& texts) {
  AddressRanges ranges;
  if (texts.empty()) return absl::InvalidArgumentError("there must be at least one address range");
  for (const std::string& text : texts) {
    auto range = ParseRange(text);
    if (!range.ok()) return range.status();
    for (const Range& other : ranges.ranges_) {
      if (range->first <= other.last && other.first <= range->last) {
        return absl::InvalidArgumentError(absl::StrCat("range '", text, "' overlaps another"));
      }
    }
    if (range->count > kSlotsMax - ranges.size_) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ranges have more than ", kSlotsMax, " addresses together"));
    }
    range->first_slot = ranges.size_;
    ranges.size_ += range->count;
    ranges.ranges_.push_back(*range);
  }
  return ranges;
}

IpAddress AddressRanges::At(std::uint32_t slot) const {
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), slot,
      [](std::uint32_t wanted, const Range& range) { return wanted < range.first_slot; });
  const Range& range = *std::prev(after);
  return Plus(range.first, slot - range.first_slot);
}

std::optional<std::uint32_t> AddressRanges::SlotOf(const IpAddress& address) const {
  for (const Range& range : ranges_) {
    if (address < range.first || range.last < address) continue;
    return range.first_slot + *Distance(range.first, address, kSlotsMax);
  }
  return std::nullopt;
}

std::string AddressRanges::ToString() const {
  std::string text;
  for (const Range& range : ranges_) {
    absl::StrAppend(&text, text.empty() ? "" : ",", range.first.ToString(), "-",
                    range.last.ToString());
  }
  return text;
}

}  // namespace radix
