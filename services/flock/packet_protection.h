// Sealing and opening datagrams: authenticated encryption, bound to sender, receiver and bloc.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "services/confab/address.h"
#include "services/flock/config.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

// For whom a datagram is: what its authentication is bound to besides the header. A datagram for
// one boot of a machine does not open at the next, nor at another address.
struct Destination {
  MemberId id;  // boot 0: whichever runs there; only HELLO may say so
  IpAddress address;
};

// Seals what follows the header with XChaCha20-Poly1305. Its nonce is the sender's slot and boot,
// the receiver's slot, and the header's counter: so there is a subkey for each (key, sender,
// receiver), a counter must never repeat towards one slot, and two nodes that use the same counter
// do not clash. The bloc's name is part of every authentication: other blocs open nothing, even
// with the same key.
//
// Source: Arciszewski, "XChaCha: eXtended-nonce ChaCha and AEAD_XChaCha20_Poly1305",
// draft-irtf-cfrg-xchacha-03: the first 16 bytes of a nonce make the subkey.
class PacketProtection {
 public:
  explicit PacketProtection(std::string_view bloc);

  // Seals the `body_size` bytes after the header in `datagram`, in place, and returns its whole
  // size. Requires: the header is written; room for the tag.
  std::size_t Seal(const Key& key, const Header& header, const Destination& to,
                   std::span<std::uint8_t> datagram, std::size_t body_size) const;

  // Opens `datagram` into `body` and returns the body; empty if it is not authentic. Bodies are
  // never empty. Requires: body.size() >= datagram.size().
  std::span<const std::uint8_t> Open(const Key& key, const Header& header, const Destination& to,
                                     std::span<const std::uint8_t> datagram,
                                     std::span<std::uint8_t> body) const;

  // The same for the door, where bodies may be empty. `echo` names the datagram that this one
  // answers, 0 if none: it is authenticated, and not sent. The nonce is not sent either: it is a
  // hash of all that is authenticated but the body. So two datagrams of one key that have header,
  // destination and echo in common must have the same body, and it is the caller who sees to that.
  // Requires, for sealing: room for the tag.
  std::size_t SealDoor(const Key& key, const Destination& to, std::uint64_t echo,
                       std::span<std::uint8_t> datagram, std::span<const std::uint8_t> body) const;
  // nullopt if it is not authentic.
  std::optional<std::span<const std::uint8_t>> OpenDoor(const Key& key, const Destination& to,
                                                        std::uint64_t echo,
                                                        std::span<const std::uint8_t> datagram,
                                                        std::span<std::uint8_t> body) const;

  // The short, public name of a key in headers.
  static std::uint32_t TagOf(const Key& key);

 private:
  static constexpr std::size_t kContextSize = kHeaderSize + 16 + 16 + 8;
  using Associated = std::array<std::uint8_t, kContextSize>;
  using DoorAssociated = std::array<std::uint8_t, kContextSize + 8>;

  Associated AssociatedData(std::span<const std::uint8_t> header, const Destination& to) const;
  DoorAssociated AssociatedData(std::span<const std::uint8_t> header, const Destination& to,
                                std::uint64_t echo) const;

  std::array<std::uint8_t, 16> bloc_{};  // a hash of the name
};

}  // namespace radix::flock
