#include "services/flock/packet_protection.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> CounterNonce(
    std::uint64_t counter) {
  std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES> nonce{};
  std::memcpy(nonce.data() + 4, &counter, sizeof(counter));
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

Key PacketProtection::Subkey(const Key& key, const Header& header, const Destination& to) const {
  std::array<std::uint8_t, 16 + 12 + 12> input{};
  Writer out(input);
  out.Bytes(bloc_);
  out.Id(header.sender);
  out.Id(IsBroken(Rule::kBoundToItsDestination) ? MemberId{} : to.id);
  Key subkey;
  crypto_generichash(subkey.data(), subkey.size(), input.data(), input.size(), key.data(),
                     key.size());
  return subkey;
}

std::size_t PacketProtection::Seal(const Key& key, const Header& header, const Destination& to,
                                   std::span<std::uint8_t> datagram, std::size_t body_size) const {
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const Key subkey = Subkey(key, header, to);
  const auto nonce = CounterNonce(header.counter);
  std::uint8_t* body = datagram.data() + kHeaderSize;
  unsigned long long sealed_size = 0;
  crypto_aead_chacha20poly1305_ietf_encrypt(body, &sealed_size, body, body_size, data.data(),
                                            data.size(), nullptr, nonce.data(), subkey.data());
  return kHeaderSize + static_cast<std::size_t>(sealed_size);
}

std::span<const std::uint8_t> PacketProtection::Open(const Key& key, const Header& header,
                                                     const Destination& to,
                                                     std::span<const std::uint8_t> datagram,
                                                     std::span<std::uint8_t> body) const {
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const Key subkey = Subkey(key, header, to);
  const auto nonce = CounterNonce(header.counter);
  const auto sealed = datagram.subspan(kHeaderSize);
  unsigned long long size = 0;
  if (crypto_aead_chacha20poly1305_ietf_decrypt(body.data(), &size, nullptr, sealed.data(),
                                                sealed.size(), data.data(), data.size(),
                                                nonce.data(), subkey.data()) != 0) {
    return {};
  }
  return body.first(static_cast<std::size_t>(size));
}

std::size_t PacketProtection::SealDoor(const Key& key, const Header& header, const Destination& to,
                                       std::span<const std::uint8_t, kDoorNonceSize> nonce,
                                       std::span<std::uint8_t> datagram,
                                       std::span<const std::uint8_t> body) const {
  static_assert(kDoorNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const Key subkey = Subkey(key, header, to);
  std::copy(nonce.begin(), nonce.end(), datagram.begin() + kHeaderSize);
  unsigned long long sealed_size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(datagram.data() + kHeaderSize + kDoorNonceSize,
                                             &sealed_size, body.data(), body.size(), data.data(),
                                             data.size(), nullptr, nonce.data(), subkey.data());
  return kHeaderSize + kDoorNonceSize + static_cast<std::size_t>(sealed_size);
}

std::span<const std::uint8_t> PacketProtection::OpenDoor(const Key& key, const Header& header,
                                                         const Destination& to,
                                                         std::span<const std::uint8_t> datagram,
                                                         std::span<std::uint8_t> body) const {
  if (datagram.size() < kHeaderSize + kDoorNonceSize + kTagSize) return {};
  const Associated data = AssociatedData(datagram.first(kHeaderSize), to);
  const Key subkey = Subkey(key, header, to);
  const auto sealed = datagram.subspan(kHeaderSize + kDoorNonceSize);
  unsigned long long size = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          body.data(), &size, nullptr, sealed.data(), sealed.size(), data.data(), data.size(),
          datagram.data() + kHeaderSize, subkey.data()) != 0) {
    return {};
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
