#include "clients/cpp/checksum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace radix {
namespace {

using testing::HasSubstr;

constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

std::string ErrorOf(std::string_view text) {
  const auto checksum = Checksum::Parse(text);
  EXPECT_EQ(checksum.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(checksum.status().message());
}

// The examples of FIPS 180-4, as NIST publishes them.
TEST(Sha256Test, ComputesThePublishedExamples) {
  EXPECT_EQ(Sha256::Of("abc").Hex(), kAbc);
  EXPECT_EQ(Sha256::Of("").Hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256::Of(std::string(1'000'000, 'a')).Hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, DoesNotDependOnHowTheBytesAreCut) {
  Sha256 sha256;
  sha256.Update("a");
  sha256.Update("");
  sha256.Update("bc");
  EXPECT_EQ(sha256.Finish().Hex(), kAbc);
}

TEST(ChecksumTest, ReadsBothSpellingsAndEitherCase) {
  const Checksum checksum = Sha256::Of("abc");
  EXPECT_EQ(*Checksum::Parse(kAbc), checksum);
  EXPECT_EQ(*Checksum::Parse("sha256:" + std::string(kAbc)), checksum);
  EXPECT_EQ(*Checksum::Parse("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
            checksum);
  EXPECT_EQ(checksum.ToString(), "sha256:" + std::string(kAbc));
}

TEST(ChecksumTest, SaysWhatIsWrongWithTheRest) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("0 hex digits instead of 64"));
  EXPECT_THAT(ErrorOf("sha256:"), HasSubstr("0 hex digits instead of 64"));
  EXPECT_THAT(ErrorOf(kAbc.substr(1)), HasSubstr("63 hex digits"));
  EXPECT_THAT(ErrorOf(std::string(kAbc) + "00"), HasSubstr("66 hex digits"));
  EXPECT_THAT(ErrorOf("md5:d41d8cd98f00b204e9800998ecf8427e"), HasSubstr("only sha256:"));
  EXPECT_THAT(ErrorOf("../../../../etc/passwd"), HasSubstr("'.' is no hex digit"));
  EXPECT_THAT(ErrorOf("sha256:" + std::string(kAbc.substr(1)) + "g"), HasSubstr("'g' is no hex"));
  EXPECT_THAT(ErrorOf(std::string(64, '\0')), HasSubstr("'\\000' is no hex digit"));
}

TEST(ChecksumTest, QuotesOnlyTheBeginningOfALongText) {
  EXPECT_LT(ErrorOf(std::string(1'000'000, 'a')).size(), 200U);
}

}  // namespace
}  // namespace radix
