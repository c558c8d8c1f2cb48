#include "services/trust/pairing_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace radix::trust {
namespace {

using testing::HasSubstr;

KeyId Key(int number) {
  KeyId key;
  key.bytes[0] = static_cast<std::uint8_t>(number);
  return key;
}

Pair SomePair() {
  return {.key = Key(1),
          .caller = {"default", "shop"},
          .endpoint = *Endpoint::Parse("10.0.0.2:4000"),
          .meant = {.horde = "default", .api = "cart2", .inst = ""}};
}

std::string ErrorOf(const v1::Pair& message) {
  return std::string(PairFrom("pairs[3]", message).status().message());
}

TEST(PairingCodecTest, WhatIsWrittenIsRead) {
  EXPECT_EQ(*PairFrom("pair", ToProto(SomePair())), SomePair());
  const GuardedEndpoint served{.endpoint = *Endpoint::Parse("10.0.0.2:4000"),
                               .api = {"default", "cart2"},
                               .inst = "cart2_1",
                               .service = "cart",
                               .keys = {Key(2), Key(3)},
                               .certificates = {"two", "three"}};
  EXPECT_EQ(*EndpointFrom(ToProto(served)), served);
  const Admission refused{Key(1), absl::PermissionDeniedError("line 3"), {}, {}};
  EXPECT_EQ(*AdmissionFrom(ToProto(refused)), refused);
  const Admission admitted{Key(1), absl::OkStatus(), {Key(2)}, {"two"}};
  EXPECT_EQ(*AdmissionFrom(ToProto(admitted)), admitted);

  const EndpointTable::Update update{.number = 7,
                                     .callers = {{Key(1), {"default", "shop"}, 42}},
                                     .gone = {Key(4)},
                                     .forbidden = {Key(5)},
                                     .complete = true};
  const auto news = NewsFrom(ToProto(update));
  ASSERT_TRUE(news.ok()) << news.status();
  EXPECT_EQ(news->callers, update.callers);
  EXPECT_EQ(news->gone, update.gone);
  EXPECT_EQ(news->forbidden, update.forbidden);
  EXPECT_TRUE(news->complete);

  const PairTable::Announcement said{.pairs = {SomePair()}, .gone = {Key(9)}, .complete = true};
  const auto heard = AnnouncementFrom(ToProto(said));
  ASSERT_TRUE(heard.ok()) << heard.status();
  EXPECT_EQ(heard->pairs, said.pairs);
  EXPECT_EQ(heard->gone, said.gone);
  EXPECT_TRUE(heard->complete);
}

TEST(PairingCodecTest, NamesTheFieldThatIsMalformed) {
  v1::Pair pair = ToProto(SomePair());
  pair.set_key("abc");
  EXPECT_THAT(ErrorOf(pair), HasSubstr("pairs[3].key: is not 64"));
  pair = ToProto(SomePair());
  pair.set_net_id("10.0.0.2");
  EXPECT_THAT(ErrorOf(pair), HasSubstr("pairs[3].net_id"));
  pair = ToProto(SomePair());
  pair.clear_meant_api();
  EXPECT_THAT(ErrorOf(pair), HasSubstr("pairs[3].meant_api: is required"));
  pair = ToProto(SomePair());
  pair.set_service("a b");
  EXPECT_THAT(ErrorOf(pair), HasSubstr("pairs[3].service"));
}

// Their nodes vouch for the basic services: nobody becomes one by such a key.
TEST(PairingCodecTest, NobodyIsABasicService) {
  v1::Pair pair = ToProto(SomePair());
  pair.set_horde("radix");
  EXPECT_THAT(ErrorOf(pair), HasSubstr("is for the basic services"));
  v1::GuardedEndpoint served;
  served.set_net_id("10.0.0.2:4000");
  served.set_horde("radix");
  served.set_service("reeve");
  EXPECT_THAT(std::string(EndpointFrom(served).status().message()), HasSubstr("basic services"));
}

}  // namespace
}  // namespace radix::trust
