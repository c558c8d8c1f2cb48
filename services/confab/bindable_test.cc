#include "services/confab/bindable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/confab/udp_socket.h"

namespace radix::confab {
namespace {

using testing::HasSubstr;

const IpAddress kLoopback = *IpAddress::Parse("127.93.1.2");

TEST(BindableTest, APortInUseIsNamedWithWhatToDo) {
  const auto taken = UdpSocket::Open({kLoopback, 0}, 100);
  ASSERT_TRUE(taken.ok()) << taken.status();
  const Endpoint local = taken->local();
  const absl::Status status = CheckBindable(Transport::kUdp, local);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("UDP " + local.ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("end what has it"));
  EXPECT_TRUE(CheckBindable(Transport::kTcp, local).ok());
  EXPECT_EQ(CheckNodePorts(local.ip, local.port), status);
}

TEST(BindableTest, AnAddressOfAnotherMachineIsNoPortInUse) {
  const Endpoint elsewhere{*IpAddress::Parse("192.0.2.1"), 7117};
  const absl::Status status = CheckBindable(Transport::kTcp, elsewhere);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("192.0.2.1:7117"));
}

}  // namespace
}  // namespace radix::confab
