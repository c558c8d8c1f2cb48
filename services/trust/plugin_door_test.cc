#include "services/trust/plugin_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace radix::trust {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Door kDoor{.id = "galumph.1.0",
                 .who = {.horde = "default", .service = "galumph"},
                 .api = "galumph2",
                 .inst = "galumph2_3"};

std::string ErrorOf(const absl::Status& status) {
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  return std::string(status.message());
}

TEST(DoorTest, WhatItsManifestSaysMayBeSaid) {
  EXPECT_TRUE(CheckClaim(kDoor, "", {}).ok());
  EXPECT_TRUE(CheckClaim(kDoor, "", {"default", "galumph", "galumph2", "galumph2_3"}).ok());
}

TEST(DoorTest, AnythingElseIsRefusedAndTheFieldIsNamed) {
  EXPECT_EQ(ErrorOf(CheckClaim(kDoor, "pairs[2].", {.horde = "shop"})),
            "pairs[2].horde: says 'shop', but this is the door of default/galumph, which serves "
            "galumph2 galumph2_3");
  EXPECT_THAT(ErrorOf(CheckClaim(kDoor, "", {.service = "cart"})), HasSubstr("service: says"));
  EXPECT_THAT(ErrorOf(CheckClaim(kDoor, "", {.api = "cart2"})), HasSubstr("api: says 'cart2'"));
  EXPECT_THAT(ErrorOf(CheckClaim(kDoor, "", {.inst = ""})), HasSubstr("inst: says ''"));
}

TEST(DoorTest, WhoServesNothingByItsManifestServesNothing) {
  Door silent = kDoor;
  silent.api = silent.inst = "";
  EXPECT_THAT(ErrorOf(CheckClaim(silent, "", {.api = ""})), HasSubstr("api: says ''"));
  EXPECT_THAT(ErrorOf(CheckClaim(silent, "", {.api = "galumph2"})), HasSubstr("default/galumph"));
  EXPECT_TRUE(CheckClaim(silent, "", {.horde = "default", .service = "galumph"}).ok());
}

TEST(DoorTest, WhatIsSaidIsRepeatedShortAndPrintable) {
  const std::string error =
      ErrorOf(CheckClaim(kDoor, "", {.horde = "\n\x01" + std::string(5000, 'x')}));
  EXPECT_THAT(error, AllOf(HasSubstr("\\n\\x01xxx"), HasSubstr("default/galumph")));
  EXPECT_LT(error.size(), 300);
}

TEST(DoorTest, ItIsCalledAtItsOwnNodesAddressOnly) {
  const IpAddress own = *IpAddress::Parse("127.88.0.2");
  EXPECT_TRUE(CheckAddress(kDoor, "net_id", "127.88.0.2:80", own).ok());
  EXPECT_TRUE(CheckAddress(kDoor, "net_id", "nonsense", own).ok());
  EXPECT_THAT(ErrorOf(CheckAddress(kDoor, "net_id", "127.88.0.3:80", own)),
              AllOf(HasSubstr("net_id: says '127.88.0.3:80'"), HasSubstr(" at 127.88.0.2")));
}

TEST(DoorTest, FoldersHaveShortNamesThatDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(ShortNameOf("galumph." + std::to_string(i)));
  EXPECT_EQ(names.size(), 1000);
  EXPECT_EQ(ShortNameOf(std::string(63, 'x')).size(), 10);
  EXPECT_EQ(ShortNameOf("a"), ShortNameOf("a"));
}

}  // namespace
}  // namespace radix::trust
