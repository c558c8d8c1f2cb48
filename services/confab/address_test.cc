#include "services/confab/address.h"

#include <gtest/gtest.h>

#include "services/confab/charter.h"

namespace radix {
namespace {

TEST(AddressTest, ReadsWhatItPrints) {
  for (const char* text : {"127.0.0.1:7117", "[fd00::7]:4000", "255.255.255.255:65535"}) {
    const auto endpoint = Endpoint::Parse(text);
    ASSERT_TRUE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint->ToString(), text);
  }
}

TEST(AddressTest, RefusesWhatIsNoEndpoint) {
  for (const std::string text : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
                                 "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1", "fd00::7:4000",
                                 "[127.0.0.1]:1", "[fd00::7]", "localhost:1", "1.2.3.4.5:1"}) {
    EXPECT_FALSE(Endpoint::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string("127.0.0.1\0x", 11)).ok());
  // gRPC's clients take no status whose message is as long as what they sent.
  EXPECT_LT(Endpoint::Parse(std::string(100'000, 'y')).status().message().size(), 200U);
}

TEST(AddressTest, NumbersTheAddressesOfAllRanges) {
  const auto ranges = AddressRanges::Parse({"10.0.0.254-10.0.1.1", "fd00::/126", "10.9.9.9"});
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  ASSERT_EQ(ranges->size(), 9u);
  EXPECT_EQ(ranges->At(2).ToString(), "10.0.1.0");
  EXPECT_EQ(ranges->At(7).ToString(), "fd00::3");
  for (std::uint32_t slot = 0; slot < ranges->size(); ++slot) {
    EXPECT_EQ(ranges->SlotOf(ranges->At(slot)), slot);
  }
  EXPECT_EQ(ranges->SlotOf(*IpAddress::Parse("10.0.1.2")), std::nullopt);
}

TEST(AddressTest, RefusesBadRanges) {
  for (const std::vector<std::string>& texts :
       std::vector<std::vector<std::string>>{{},
                                             {""},
                                             {"10.0.0.9-10.0.0.1"},
                                             {"10.0.0.1/24"},
                                             {"10.0.0.0/33"},
                                             {"0.0.0.0/0"},
                                             {"::/0"},
                                             {"10.0.0.0-fd00::1"},
                                             {"10.0.0.0/24", "10.0.0.255"},
                                             {"10.0.0.0/8", "11.0.0.0"}}) {
    EXPECT_FALSE(AddressRanges::Parse(texts).ok()) << (texts.empty() ? "none" : texts[0]);
  }
  EXPECT_TRUE(AddressRanges::Parse({"10.0.0.0/8"}).ok());
}

TEST(CharterTest, NeedsAQuorumOfMoreThanHalf) {
  CharterFields fields{
      .bloc = "lab", .ranges = {"10.0.0.0/29"}, .port = 7117, .at_most = 4, .key_file = "k"};
  EXPECT_EQ(Charter::Create(fields)->quorum, 3u);
  for (const std::int64_t bad : {0, 2, 5, -1}) {
    fields.quorum = bad;
    EXPECT_FALSE(Charter::Create(fields).ok()) << bad;
  }
  fields.quorum = 4;
  EXPECT_TRUE(Charter::Create(fields).ok());
  for (const std::int64_t bad : {0, 9, -1}) {
    fields.at_most = bad;
    EXPECT_FALSE(Charter::Create(fields).ok()) << bad;
  }
}

TEST(CharterTest, NamesAFieldThatIsMissing) {
  const auto problem = [](const CharterFields& fields) {
    return std::string(Charter::Create(fields).status().message());
  };
  CharterFields fields{.bloc = "", .ranges = {}, .port = {}, .key_file = ""};
  EXPECT_EQ(problem(fields), "bloc: must name the bloc, with 1 to 63 characters of a-z 0-9 -");
  fields.bloc = "lab";
  EXPECT_EQ(problem(fields), "ranges: there must be at least one address range");
  fields.ranges = {"10.0.0.0/29"};
  EXPECT_EQ(problem(fields), "port: is missing; it must be 1 to 65534");
  fields.port = 7117;
  EXPECT_EQ(problem(fields), "key_file: must name the file with the secondary key");
}

TEST(CharterTest, NeedsAPortWithAnotherBehindIt) {
  CharterFields fields{.bloc = "lab", .ranges = {"10.0.0.0/29"}, .port = 65534, .key_file = "k"};
  EXPECT_TRUE(Charter::Create(fields).ok());
  for (const std::int64_t bad : {0, 65535, -7, 65536 + 80}) {
    fields.port = bad;
    EXPECT_FALSE(Charter::Create(fields).ok()) << bad;
  }
}

}  // namespace
}  // namespace radix
