#include "services/flock/introduction_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/confab/random.h"
#include "services/flock/config.h"

namespace radix::flock {
namespace {

using testing::HasSubstr;

std::string EncodeError(const Introduction& introduction) {
  return std::string(EncodeIntroduction(introduction).status().message());
}

TEST(IntroductionCodecTest, CarriesNameAndLabels) {
  for (const Introduction& introduction :
       {Introduction{"n1", {}}, Introduction{"rack-7", {"KV", "rack=7", "zone=a=b"}}}) {
    const auto bytes = EncodeIntroduction(introduction);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(DecodeIntroduction(*bytes).value(), introduction);
  }
}

TEST(IntroductionCodecTest, RefusesWhatIsNoNameOrNoLabel) {
  EXPECT_THAT(EncodeError({"", {}}), HasSubstr("--name"));
  EXPECT_THAT(EncodeError({"N1", {}}), HasSubstr("'N1'"));
  EXPECT_THAT(EncodeError({"n1", {"a b"}}), HasSubstr("'a b'"));
  EXPECT_THAT(EncodeError({"n1", {""}}), HasSubstr("--label"));
}

TEST(IntroductionCodecTest, FillsADatagramsShareExactlyAndSaysWhatNoLongerFits) {
  // 1 version, 1 + 2 name, 1 number, 1 + 128 label, 1 + 121 label: 256 bytes.
  Introduction introduction{"n1", {std::string(128, 'a'), std::string(121, 'b')}};
  ASSERT_TRUE(EncodeIntroduction(introduction).ok());
  EXPECT_EQ(EncodeIntroduction(introduction)->size(), kIntroductionSizeMax);
  introduction.labels.back() += 'b';
  EXPECT_THAT(EncodeError(introduction), HasSubstr(introduction.labels.back()));
  EXPECT_THAT(EncodeError({"n1", std::vector<std::string>(300, "x")}), HasSubstr("256 bytes"));
}

TEST(IntroductionCodecTest, RefusesEveryCutAndEveryTail) {
  auto bytes = *EncodeIntroduction({"n1", {"KV", "rack=7"}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeIntroduction(std::span(bytes).first(size)).ok()) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(DecodeIntroduction(bytes).ok());
}

TEST(IntroductionCodecTest, WhateverItReadsIsValid) {
  Random random(7);
  const auto good = *EncodeIntroduction({"n1", {"KV", "rack=7"}});
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    for (std::uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
      bytes[random.Below(bytes.size())] = static_cast<std::uint8_t>(random.Next());
    }
    const auto read = DecodeIntroduction(bytes);
    // What was accepted is what its author would have had to write.
    if (read.ok()) {
      EXPECT_EQ(EncodeIntroduction(*read).value(), bytes);
    }
  }
}

}  // namespace
}  // namespace radix::flock
