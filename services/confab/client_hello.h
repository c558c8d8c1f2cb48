// The first words of a TLS client, read before anything else is done for it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace radix::confab {

// No honest ClientHello is longer, records around it included (RFC 8446, 4.1.2; those with
// post-quantum keys have some 2 KiB).
inline constexpr std::size_t kClientHelloMax = 8 << 10;

enum class ClientHello {
  kIncomplete,  // so far it may become one
  kTls13,       // whole, and offers TLS 1.3
  kRefused,     // none, or it offers older versions only, or is too long
};

// What `bytes`, the beginning of a connection, are (RFC 8446, 4.1.2 and 5.1).
ClientHello ReadClientHello(std::span<const std::uint8_t> bytes);

}  // namespace radix::confab
