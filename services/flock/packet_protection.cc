#include "services/flock/packet_protection.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

using Nonce = std::array<std::uint8_t, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

// The first 16 bytes choose the subkey, the counter is what is left for the nonce under it.
Nonce CounterNonce(const Header& header, const Destination& to) {
  Nonce nonce;
  Writer out(nonce);
  out.Id(header.sender);
  out.U32(IsBroken(Rule::kBoundToItsDestination) ? 0 : to.id.slot);
  out.U64(header.counter);
  return nonce;
}

Nonce HashNonce(std::span<const std::uint8_t> associated) {
  Nonce nonce;
  crypto_generichash(nonce.data(), nonce.size(), associated.data(), associated.size(), nullptr, 0);
  return nonce;
}

}  // namespace

PacketProtection::PacketProtection(std::string_view bloc) {
  std::array<std::uint8_t, 64> name{};
  std::copy_n(bloc.begin(), std::min(bloc.size(), name.size()), name.begin());
  crypto_generichash(bloc_.data(), bloc_.size(), name.data(), name.size(), nullptr, 0);
}

PacketProtection::Associated PacketProtection::AssociatedData(std::span<const std::uint8_t> header,
                                                              const Destination& to) const {
  Associated data{};
  Writer out(data);
  out.Bytes(header);
  out.Bytes(bloc_);
  if (IsBroken(Rule::kBoundToItsDestination)) return data;
  out.Bytes(to.address.bytes);
  out.U64(to.id.boot);
  return data;
}

std::size_t PacketProtection::Seal(const Key& key, const Header& header, const Destination& to,
                                   std::span<std::uint8_t> datagram, std::size_t body_size) const {
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const auto nonce = CounterNonce(header, to);
  std::uint8_t* body = datagram.data() + kHeaderSize;
  unsigned long long sealed_size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(body, &sealed_size, body, body_size, data.data(),
                                             data.size(), nullptr, nonce.data(), key.data());
  return kHeaderSize + static_cast<std::size_t>(sealed_size);
}

std::span<const std::uint8_t> PacketProtection::Open(const Key& key, const Header& header,
                                                     const Destination& to,
                                                     std::span<const std::uint8_t> datagram,
                                                     std::span<std::uint8_t> body) const {
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const auto nonce = CounterNonce(header, to);
  const auto sealed = datagram.subspan(kHeaderSize);
  unsigned long long size = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(body.data(), &size, nullptr, sealed.data(),
                                                 sealed.size(), data.data(), data.size(),
                                                 nonce.data(), key.data()) != 0) {
    return {};
  }
  return body.first(static_cast<std::size_t>(size));
}

PacketProtection::DoorAssociated PacketProtection::AssociatedData(
    std::span<const std::uint8_t> header, const Destination& to, std::uint64_t echo) const {
  DoorAssociated data;
  Writer out(data);
  out.Bytes(AssociatedData(header, to));
  out.U64(echo);
  return data;
}

std::size_t PacketProtection::SealDoor(const Key& key, const Destination& to, std::uint64_t echo,
                                       std::span<std::uint8_t> datagram,
                                       std::span<const std::uint8_t> body) const {
  const DoorAssociated data = AssociatedData(datagram.first(kHeaderSize), to, echo);
  const Nonce nonce = HashNonce(data);
  unsigned long long sealed_size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(datagram.data() + kHeaderSize, &sealed_size,
                                             body.data(), body.size(), data.data(), data.size(),
                                             nullptr, nonce.data(), key.data());
  return kHeaderSize + static_cast<std::size_t>(sealed_size);
}

std::optional<std::span<const std::uint8_t>> PacketProtection::OpenDoor(
    const Key& key, const Destination& to, std::uint64_t echo,
    std::span<const std::uint8_t> datagram, std::span<std::uint8_t> body) const {
  if (datagram.size() < kHeaderSize + kTagSize) return std::nullopt;
  const DoorAssociated data = AssociatedData(datagram.first(kHeaderSize), to, echo);
  const Nonce nonce = HashNonce(data);
  const auto sealed = datagram.subspan(kHeaderSize);
  unsigned long long size = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(body.data(), &size, nullptr, sealed.data(),
                                                 sealed.size(), data.data(), data.size(),
                                                 nonce.data(), key.data()) != 0) {
    return std::nullopt;
  }
  return body.first(static_cast<std::size_t>(size));
}

std::uint32_t PacketProtection::TagOf(const Key& key) {
  static constexpr std::array<std::uint8_t, 8> kLabel = {'k', 'e', 'y', ' ', 't', 'a', 'g', 0};
  std::array<std::uint8_t, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), kLabel.data(), kLabel.size(), key.data(),
                     key.size());
  std::uint32_t tag = 0;
  std::memcpy(&tag, hash.data(), sizeof(tag));
  return tag | 1;  // never 0, which stands for none
}

}  // namespace radix::flock
