#include "services/registry/hordes.h"

#include <gtest/gtest.h>

namespace radix::registry {
namespace {

TEST(HordesTest, RadixAndDefaultAreThereAndHaveEveryNode) {
  const Hordes hordes;
  EXPECT_EQ(hordes.all().size(), 2U);
  EXPECT_EQ(hordes.StandingOf("radix", 7), Standing::kAdmitted);
  EXPECT_EQ(hordes.StandingOf("default", 7), Standing::kAdmitted);
  EXPECT_EQ(hordes.StandingOf("shop", 7), Standing::kOutside);
}

TEST(HordesTest, OnlyWhoWasAdmittedIsOfAHorde) {
  Hordes hordes;
  Horde shop;
  shop.Set(7, "n7", Standing::kAdmitted);
  shop.Set(8, "n8", Standing::kLeaving);
  hordes.Put("shop", shop);
  EXPECT_EQ(hordes.StandingOf("shop", 7), Standing::kAdmitted);
  EXPECT_TRUE(hordes.Has("shop", 8));
  EXPECT_FALSE(hordes.Has("shop", 9));
}

TEST(HordesTest, WhoIsExpelledFromOneThatHasEveryNodeIsOutAlone) {
  Horde horde{.every_node = true, .named = {}};
  horde.Set(7, "n7", Standing::kOutside);
  EXPECT_EQ(horde.StandingOf(7), Standing::kOutside);
  EXPECT_EQ(horde.StandingOf(8), Standing::kAdmitted);
  horde.Set(7, "n7", Standing::kAdmitted);
  EXPECT_EQ(horde, (Horde{.every_node = true, .named = {}})) << "what is as with all is not kept";
}

TEST(HordesTest, WhatIsSaidOfAllReplacesWhatWasSaidOfSome) {
  Horde horde;
  horde.Set(7, "n7", Standing::kLeaving);
  horde.SetAll(Standing::kAdmitted);
  EXPECT_EQ(horde.StandingOf(7), Standing::kAdmitted);
  horde.SetAll(Standing::kOutside);
  EXPECT_EQ(horde, Horde());
}

}  // namespace
}  // namespace radix::registry
