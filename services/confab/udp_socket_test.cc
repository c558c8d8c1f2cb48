#include "services/confab/udp_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <utility>

namespace radix::confab {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSizeMax = 1200;

Endpoint At(const char* ip, std::uint16_t port = 0) { return {*IpAddress::Parse(ip), port}; }

// The sizes of the next datagrams, each of which is to come from `from`, until a wait is in vain.
std::vector<std::size_t> ReceiveSizes(UdpSocket& socket, const Endpoint& from, std::size_t want) {
  std::vector<std::size_t> sizes;
  pollfd readable{socket.fd(), POLLIN, 0};
  while (sizes.size() < want && poll(&readable, 1, 10'000) > 0) {
    for (const Datagram& datagram : socket.Receive()) {
      EXPECT_EQ(datagram.from, from);
      sizes.push_back(datagram.bytes.size());
    }
  }
  return sizes;
}

TEST(UdpSocketTest, CarriesDatagramsOfAnyAllowedSizeAndDropsAndCountsLongerOnes) {
  auto a = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  auto b = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  const std::vector<std::uint8_t> bytes(1500, 7);
  for (const std::size_t size : {0, 1, 1200, 1201, 1500, 2}) {
    EXPECT_TRUE(a.Send(b.local(), std::span(bytes).first(size)));
  }
  EXPECT_THAT(ReceiveSizes(b, a.local(), 4), testing::ElementsAre(0, 1, 1200, 2));
  EXPECT_TRUE(b.Receive().empty());
  EXPECT_EQ(b.too_long(), 2U);
}

TEST(UdpSocketTest, TakesABurstLargerThanABatch) {
  auto a = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  auto b = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  const std::vector<std::uint8_t> bytes(100, 7);
  for (std::size_t i = 0; i < 3 * UdpSocket::kBatch + 1; ++i) a.Send(b.local(), bytes);
  EXPECT_EQ(ReceiveSizes(b, a.local(), 3 * UdpSocket::kBatch + 1).size(),
            3 * UdpSocket::kBatch + 1);
}

TEST(UdpSocketTest, SpeaksIpv6) {
  auto a = UdpSocket::Open(At("::1"), kSizeMax);
  if (!a.ok()) GTEST_SKIP() << "no IPv6 here: " << a.status();
  auto b = *UdpSocket::Open(At("::1"), kSizeMax);
  EXPECT_TRUE(a->Send(b.local(), std::vector<std::uint8_t>(3)));
  EXPECT_THAT(ReceiveSizes(b, a->local(), 1), testing::ElementsAre(3));
}

TEST(UdpSocketTest, SaysWhichPortIsInUse) {
  const auto first = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  const auto second = UdpSocket::Open(first.local(), kSizeMax);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first.local().ToString()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST(UdpSocketTest, RefusesAnAddressThatIsNotOfThisMachine) {
  const auto socket = UdpSocket::Open(At("192.0.2.1"), kSizeMax);
  EXPECT_EQ(socket.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(socket.status().message()), HasSubstr("192.0.2.1"));
}

TEST(UdpSocketTest, CountsWhatCannotBeSentAsLost) {
  auto socket = *UdpSocket::Open(At("127.0.0.1"), kSizeMax);
  const std::vector<std::uint8_t> bytes(3);
  EXPECT_FALSE(socket.Send(At("fd00::1", 9), bytes)) << "of the other family";
  EXPECT_FALSE(socket.Send(At("127.0.0.1", 0), bytes)) << "port 0 is none";
  // Nobody listens: the kernel says so later, and it must not get in the way.
  const Endpoint nobody = UdpSocket::Open(At("127.0.0.1"), kSizeMax)->local();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(socket.Send(nobody, bytes));
  EXPECT_TRUE(socket.Receive().empty());
}

}  // namespace
}  // namespace radix::confab
