#include "services/flock/pair_keys.h"

#include <gtest/gtest.h>
#include <sodium.h>

namespace radix::flock {
namespace {

constexpr MemberId kAnn{1, 11};
constexpr MemberId kBob{2, 22};

class PairKeysTest : public testing::Test {
 protected:
  PairKeysTest() { EXPECT_GE(sodium_init(), 0); }
};

TEST_F(PairKeysTest, BothSidesAgreeAndNobodyElseDoes) {
  PairKeys ann(kAnn, Key{1}, 9);
  PairKeys bob(kBob, Key{2}, 9);
  PairKeys eve(kBob, Key{3}, 9);
  ASSERT_TRUE(ann.Learn(kBob, bob.public_key(), 8));
  ASSERT_TRUE(bob.Learn(kAnn, ann.public_key(), 8));
  ASSERT_TRUE(eve.Learn(kAnn, ann.public_key(), 8));
  EXPECT_EQ(*ann.Find(kBob), *bob.Find(kAnn));
  EXPECT_NE(*ann.Find(kBob), *eve.Find(kAnn));
}

TEST_F(PairKeysTest, AnotherBootHasAnotherKey) {
  PairKeys ann(kAnn, Key{1}, 9);
  PairKeys bob(kBob, Key{2}, 9);
  ASSERT_TRUE(ann.Learn(kBob, bob.public_key(), 8));
  const Key before = *ann.Find(kBob);
  EXPECT_EQ(ann.Find({2, 23}), nullptr);
  ASSERT_TRUE(ann.Learn({2, 23}, bob.public_key(), 8));
  EXPECT_NE(*ann.Find({2, 23}), before);
  EXPECT_EQ(ann.Find(kBob), nullptr);
}

TEST_F(PairKeysTest, KeepsNoMoreThanAskedForAndDropsTheLeastUsed) {
  PairKeys ann(kAnn, Key{1}, 9);
  PairKeys bob(kBob, Key{2}, 9);
  for (std::uint32_t slot = 10; slot < 14; ++slot) {
    ASSERT_TRUE(ann.Learn({slot, 1}, bob.public_key(), 4));
  }
  EXPECT_NE(ann.Find({10, 1}), nullptr);
  ASSERT_TRUE(ann.Learn({14, 1}, bob.public_key(), 4));
  EXPECT_NE(ann.Find({10, 1}), nullptr);
  EXPECT_EQ(ann.Find({11, 1}), nullptr);
}

TEST_F(PairKeysTest, RefusesKeysThatAreNone) {
  PairKeys ann(kAnn, Key{1}, 9);
  EXPECT_FALSE(ann.Learn(kBob, Key{}, 8));
  EXPECT_EQ(ann.Find(kBob), nullptr);
}

}  // namespace
}  // namespace radix::flock
