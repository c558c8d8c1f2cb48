#include "services/flock/packet_protection.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <set>
#include <vector>

namespace radix::flock {
namespace {

class PacketProtectionTest : public testing::Test {
 protected:
  PacketProtectionTest() { EXPECT_GE(sodium_init(), 0); }

  std::vector<std::uint8_t> Seal(const PacketProtection& protection) {
    std::array<std::uint8_t, kDatagramSizeMax> datagram{};
    Writer head(datagram);
    Encode(header_, head);
    datagram[kHeaderSize] = 'x';
    datagram[kHeaderSize + 1] = 'y';
    const std::size_t size = protection.Seal(key_, header_, to_, datagram, 2);
    return {datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(size)};
  }
  bool Opens(const PacketProtection& protection, const Key& key, const Header& header,
             const Destination& to, const std::vector<std::uint8_t>& datagram) {
    std::array<std::uint8_t, kDatagramSizeMax> body{};
    const auto opened = protection.Open(key, header, to, datagram, body);
    return opened.size() == 2 && opened[0] == 'x' && opened[1] == 'y';
  }

  Key key_{1, 2, 3};
  Header header_{PacketType::kGroup, 9, {5, 55}, 1};
  Destination to_{{6, 66}, *IpAddress::Parse("10.0.0.6")};
  PacketProtection protection_{"blue"};
};

TEST_F(PacketProtectionTest, OpensOnlyWithTheSameKeyHeaderDestinationAndBloc) {
  const auto datagram = Seal(protection_);
  EXPECT_EQ(datagram.size(), kHeaderSize + 2 + kTagSize);
  EXPECT_TRUE(Opens(protection_, key_, header_, to_, datagram));

  EXPECT_FALSE(Opens(PacketProtection("green"), key_, header_, to_, datagram));
  EXPECT_FALSE(Opens(protection_, Key{1, 2, 4}, header_, to_, datagram));
  Destination other_boot = to_;
  other_boot.id.boot = 67;
  EXPECT_FALSE(Opens(protection_, key_, header_, other_boot, datagram));
  Destination other_address = to_;
  other_address.address = *IpAddress::Parse("10.0.0.7");
  EXPECT_FALSE(Opens(protection_, key_, header_, other_address, datagram));
}

TEST_F(PacketProtectionTest, OpensNothingOfWhichAnyBitChanged) {
  const auto datagram = Seal(protection_);
  for (std::size_t bit = 0; bit < datagram.size() * 8; ++bit) {
    auto altered = datagram;
    altered[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto header = DecodeHeader(altered);
    if (header) {
      EXPECT_FALSE(Opens(protection_, key_, *header, to_, altered)) << bit;
    }
  }
}

TEST_F(PacketProtectionTest, TheSameCounterToTwoReceiversLooksDifferent) {
  const auto one = Seal(protection_);
  to_.id.slot = 7;
  const auto two = Seal(protection_);
  EXPECT_NE(std::vector(one.begin() + kHeaderSize, one.begin() + kHeaderSize + 2),
            std::vector(two.begin() + kHeaderSize, two.begin() + kHeaderSize + 2));
}

TEST_F(PacketProtectionTest, TheDoorOpensOnlyForItsKeyAndBloc) {
  const std::array<std::uint8_t, 2> body{'x', 'y'};
  std::array<std::uint8_t, kDatagramSizeMax> datagram{};
  Writer head(datagram);
  header_.type = PacketType::kHello;
  Encode(header_, head);
  const std::size_t size = protection_.SealDoor(key_, to_, 9, datagram, body);
  const auto sealed = std::span<const std::uint8_t>(datagram).first(size);
  std::array<std::uint8_t, kDatagramSizeMax> out{};
  EXPECT_EQ(protection_.OpenDoor(key_, to_, 9, sealed, out)->size(), 2U);
  EXPECT_FALSE(protection_.OpenDoor(key_, to_, 8, sealed, out)) << "it answers another";
  EXPECT_FALSE(protection_.OpenDoor(Key{}, to_, 9, sealed, out));
  EXPECT_FALSE(PacketProtection("green").OpenDoor(key_, to_, 9, sealed, out));
  EXPECT_FALSE(protection_.OpenDoor(key_, to_, 9, sealed.first(40), out));
}

// The first of what is sealed shows whether two nonces are the same.
TEST_F(PacketProtectionTest, AtTheDoorWhateverIsAuthenticatedMakesAnotherNonce) {
  const std::array<std::uint8_t, 8> body{};
  std::set<std::vector<std::uint8_t>> sealed;
  const auto seal = [&](const PacketProtection& protection, std::uint64_t echo) {
    std::array<std::uint8_t, kDatagramSizeMax> datagram{};
    Writer head(datagram);
    Encode(header_, head);
    protection.SealDoor(key_, to_, echo, datagram, body);
    const auto first = datagram.begin() + kHeaderSize;
    EXPECT_TRUE(sealed.emplace(first, first + body.size()).second) << sealed.size();
  };
  seal(protection_, 0);
  seal(protection_, 1);
  seal(PacketProtection("green"), 0);
  header_.type = PacketType::kTokenHello;
  seal(protection_, 0);
  ++header_.counter;
  seal(protection_, 0);
  ++header_.sender.boot;
  seal(protection_, 0);
  ++to_.id.boot;
  seal(protection_, 0);
  ++to_.address.bytes.back();
  seal(protection_, 0);
}

}  // namespace
}  // namespace radix::flock
