#include "services/confab/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

#include "services/confab/utf8.h"

namespace radix::confab {
namespace {

TEST(GrpcStatusTest, IsTheSameThereAndBack) {
  const absl::Status status = absl::NotFoundError(std::string(2000, 'x'));
  EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

TEST(GrpcStatusTest, AMessageThatRepeatsMegabytesIsCutAtACharacter) {
  for (const std::string padding : {"", "x", "xx"}) {
    std::string message = padding;
    for (int i = 0; i < 1000000; ++i) message += "\xE2\x82\xAC";  // the sign of the euro
    const std::string sent = ToGrpc(absl::InvalidArgumentError(message)).error_message();
    EXPECT_LE(sent.size(), 2010U);
    EXPECT_GT(sent.size(), 1990U);
    EXPECT_TRUE(IsUtf8(sent));
    EXPECT_TRUE(sent.ends_with("\xE2\x82\xAC ..."));
  }
}

}  // namespace
}  // namespace radix::confab
