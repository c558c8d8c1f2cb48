#include "services/confab/message_size.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "galumph/v2/galumph.pb.h"

namespace radix::confab {
namespace {

TEST(MessageSizeTest, IsThatOnTheWire) {
  const auto size = MessageSize::Find("/galumph.v2.Galumph/Register");
  ASSERT_TRUE(size);
  galumph::v2::RegisterRequest request;
  EXPECT_EQ(size->Of(&request), 0U);
  request.set_beast(std::string(100, 'x'));
  EXPECT_EQ(size->Of(&request), request.SerializeAsString().size());
}

TEST(MessageSizeTest, AMethodThatDoesNotExistIsNotFound) {
  for (const char* name : {"", "/", "galumph", "/galumph.v2.Galumph", "/galumph.v2.Galumph/X"}) {
    EXPECT_FALSE(MessageSize::Find(name)) << name;
  }
}

// Methods that were made raw get grpc::ByteBuffer.
TEST(MessageSizeTest, WhatIsNoMessageIsTakenForTheLargest) {
  const grpc::Slice slice("x");
  const grpc::ByteBuffer buffer(&slice, 1);
  const grpc::ByteBuffer empty;
  for (const auto& size : {*MessageSize::Find("/galumph.v2.Galumph/Register"), MessageSize()}) {
    EXPECT_EQ(size.Of(&buffer), 4U << 20);
    EXPECT_EQ(size.Of(&empty), 4U << 20);
  }
  galumph::v2::RegisterResponse other;
  EXPECT_EQ(MessageSize::Find("/galumph.v2.Galumph/Register")->Of(&other), 4U << 20);
}

}  // namespace
}  // namespace radix::confab
