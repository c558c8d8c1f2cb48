// What a TLS key is known by.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace radix {

// The SHA-256 of a public key (of its SubjectPublicKeyInfo, as in RFC 7469): what is pinned, listed
// and revoked. Certificates' names and dates mean nothing; this is who somebody is.
struct KeyId {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const KeyId&) const = default;

  // 64 lower-case hex digits.
  std::string ToString() const;
  // nullopt unless `text` is that.
  static std::optional<KeyId> Parse(std::string_view text);
};

}  // namespace radix
