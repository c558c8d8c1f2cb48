// Damaged desired.db files under the real proctor and the real deans: the node catches up, and
// nothing that was acknowledged is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "services/proctor/desired_store_driver.h"
#include "services/proctor/fake_group_test.h"

namespace radix::proctor {
namespace {

using testing::HasSubstr;

class DamageTest : public ProctorTest {
 protected:
  std::filesystem::path Database(std::size_t i) { return nodes_[i]->node().state / "desired.db"; }

  void Damage(std::size_t i) { std::ofstream(Database(i)) << std::string(8192, 'z'); }
};

TEST_F(DamageTest, TheNodeCatchesUpByItself) {
  Lead(0, 1);
  StartDean(0);
  StartDean(1);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  Damage(2);
  StartDean(2);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  EXPECT_EQ(nodes_[2]->picket.CountOf("galumph2_3"), 1);
  EXPECT_TRUE(Eventually([&] { return RevisionOnDisk(2) == 1; }));
  EXPECT_TRUE(std::filesystem::exists(Database(2).string() + ".damaged-1"));
}

TEST_F(DamageTest, WhoLostWhatItHadDoesNotStandForAQuorum) {
  Lead(0, 1);
  StartDean(0);
  StartDean(1);
  const auto applied = ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)"));
  ASSERT_TRUE(applied.ok()) << applied.status();
  proctor_ = nullptr;
  for (auto& dean : deans_) dean = nullptr;

  // One of the two that have it is damaged, the other is away. The third has never had it.
  Damage(0);
  Lead(2, 2);
  StartDean(0);
  StartDean(2);
  ASSERT_TRUE(Eventually([&] {
    return std::string(StatusOf(2).status().message()).find("1 nodes reported, 2 must (1 more") !=
           std::string::npos;
  })) << StatusOf(2).status();
  EXPECT_FALSE(Apply(2, Galumph("galumph2_4", "pick(galumph, 1, ALL)"), 1s).ok());
  StartDean(1);
  ASSERT_TRUE(Eventually([&] { return IsDone(2, 2); }));
  EXPECT_EQ(StatusOf(2)->revision(), applied->revision());
  EXPECT_EQ(CountOf("galumph2_3"), 3);
  EXPECT_TRUE(Eventually([&] { return RevisionOnDisk(0) == applied->revision(); }));
}

TEST_F(DamageTest, ALeaderWhoseOwnDiskWasDamagedLeadsOn) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  const auto applied = ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 2, ALL)"));
  ASSERT_TRUE(applied.ok()) << applied.status();
  deans_[0] = nullptr;
  Damage(0);
  StartProctor();  // and its proctor forgot too
  StartDean(0);
  const auto again = ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->revision(), applied->revision() + 1) << "a gap, for what nobody remembers";
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && CountOf("galumph2_3") == 3; }));
}

TEST_F(DamageTest, WhatIsDamagedUnderARunningDeanIsWrittenAnewFromItsMemory) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 2, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  Damage(1);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  EXPECT_TRUE(Eventually([&] { return RevisionOnDisk(1) == 2; }));
  deans_[1] = nullptr;
  const auto store = DesiredStore::Open(Database(1));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->loaded().losses, 0) << "nothing was lost";
  EXPECT_EQ((*store)->loaded().document.revision, 2);
  EXPECT_TRUE(std::filesystem::exists(Database(1).string() + ".damaged-1"));
}

TEST_F(DamageTest, WhatIsDamagedUnderARunningDeanIsOnDiskAgainThoughNobodySendsIt) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 2, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return RevisionOnDisk(1) == 1; }));
  Damage(1);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  ASSERT_TRUE(
      Eventually([&] { return std::filesystem::exists(Database(1).string() + ".damaged-1"); }));
  proctor_ = nullptr;
  deans_[1] = nullptr;
  const auto store = DesiredStore::Open(Database(1));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->loaded().losses, 0);
  EXPECT_GE((*store)->loaded().document.revision, 1);
}

}  // namespace
}  // namespace radix::proctor
