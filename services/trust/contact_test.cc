#include "services/trust/contact.h"

#include <gtest/gtest.h>

namespace radix::trust {
namespace {

constexpr Instant kStart{1000s};

TEST(ContactTest, WhoHasNoLeaderForLongerThanTheGraceIsCutOff) {
  Contact contact(60s, kStart);
  EXPECT_FALSE(contact.HandleLeader(true, kStart + 1s));
  EXPECT_EQ(contact.NextTimeout(), Instant::max());
  EXPECT_FALSE(contact.HandleLeader(false, kStart + 100s));
  EXPECT_FALSE(contact.HandleLeader(false, kStart + 130s)) << "it has been so for a while";
  EXPECT_EQ(contact.NextTimeout(), kStart + 160s);
  EXPECT_FALSE(contact.HandleTimeout(kStart + 159s));
  EXPECT_TRUE(contact.HandleTimeout(kStart + 160s));
  EXPECT_TRUE(contact.cut_off());
  EXPECT_EQ(contact.NextTimeout(), Instant::max());
  EXPECT_TRUE(contact.HandleLeader(true, kStart + 200s));
  EXPECT_FALSE(contact.cut_off());
}

TEST(ContactTest, WhoHasJustBegunMayStillFindOne) {
  Contact contact(60s, kStart);
  EXPECT_FALSE(contact.cut_off());
  EXPECT_EQ(contact.NextTimeout(), kStart + 60s);
  EXPECT_TRUE(contact.HandleTimeout(kStart + 60s));
}

TEST(ContactTest, AnotherGraceCountsAtOnce) {
  Contact contact(60s, kStart);
  EXPECT_TRUE(contact.SetGrace(5s, kStart + 10s));
  EXPECT_TRUE(contact.cut_off());
  EXPECT_TRUE(contact.SetGrace(std::nullopt, kStart + 11s));
  EXPECT_FALSE(contact.cut_off());
  EXPECT_EQ(contact.NextTimeout(), Instant::max());
  EXPECT_FALSE(contact.HandleTimeout(kStart + 10000s));
}

}  // namespace
}  // namespace radix::trust
