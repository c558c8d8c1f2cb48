#include "services/reeve/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace radix::reeve {
namespace {

using registry::Delta;
using registry::Instance;
using registry::InstanceTable;
using registry::Member;
using registry::Status;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{1000s};

Instance Make(int node, const std::string& inst, Status status = Status::kServing) {
  const std::string n = std::to_string(node);
  return Instance{{"default", "ntp2", inst, "n" + n, "127.0.0." + n + ":1"}, status};
}

Delta Snapshot(const std::string& origin, const std::vector<Instance>& instances) {
  InstanceTable table;
  table.Replace(instances);
  Delta delta = table.Since(std::nullopt);
  delta.origin = origin;
  return delta;
}

Member Alive(int node, bool alive = true) {
  return {.address = *IpAddress::Parse("127.0.0." + std::to_string(node)), .alive = alive};
}

class DirectoryTest : public testing::Test {
 protected:
  // What lookups find, as `node/inst`.
  std::vector<std::string> Visible() const {
    std::vector<std::string> insts;
    for (const Instance& instance : directory_.visible().List()) {
      insts.push_back(instance.node + "/" + instance.inst);
    }
    return insts;
  }

  Directory directory_{*IpAddress::Parse("127.0.0.1")};
};

TEST_F(DirectoryTest, ShowsItsOwnNodeWithoutAStewardAndIgnoresWhatTheStewardSaysOfIt) {
  EXPECT_TRUE(directory_.HandleOwn(Snapshot("h1", {Make(1, "ntp2_3")}), kStart));
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3"));
  EXPECT_TRUE(
      directory_.HandleGroup(5, Snapshot("s5", {Make(1, "ntp2_2"), Make(2, "ntp2_3")}), kStart));
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3", "n2/ntp2_3"));
  Delta gone{.origin = "h1", .changes = {Make(1, "ntp2_3", Status::kDead)}};
  EXPECT_TRUE(directory_.HandleOwn(gone, kStart));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3"));
  EXPECT_EQ(directory_.own().size(), 0U);
}

TEST_F(DirectoryTest, FollowsTheStewardsChangesAndNoticesWhenItsCopyWentAstray) {
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3")}), kStart));
  Delta next{.revision = 2,
             .origin = "s5",
             .changes = {Make(2, "ntp2_3", Status::kDead), Make(2, "ntp2_4")},
             .digest = registry::HashOf(Make(2, "ntp2_4"))};
  EXPECT_TRUE(directory_.HandleGroup(5, next, kStart));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_4"));
  EXPECT_EQ(directory_.steward_revision(), 2U);
  next.changes.clear();
  ++next.digest;
  EXPECT_FALSE(directory_.HandleGroup(5, next, kStart));
  EXPECT_FALSE(directory_.HandleGroup(5, {.origin = "s6"}, kStart));  // no snapshot first
}

TEST_F(DirectoryTest, KeepsAnsweringWithoutASteward) {
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3")}), kStart));
  directory_.HandleStewardLost();
  EXPECT_FALSE(directory_.steward_connected());
  EXPECT_EQ(directory_.NextTimeout(), Instant::max());
  directory_.HandleTimeout(kStart + 24h);
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3"));
}

TEST_F(DirectoryTest, ANewStewardsEmptyTableDoesNotEmptyTheDirectory) {
  ASSERT_TRUE(directory_.HandleGroup(
      5, Snapshot("s5", {Make(2, "ntp2_3"), Make(3, "ntp2_3"), Make(4, "ntp2_3")}), kStart));
  directory_.HandleStewardLost();
  ASSERT_TRUE(directory_.HandleGroup(6, Snapshot("s6", {Make(3, "ntp2_4")}), kStart));
  // Of node 3 the new steward has heard; of the others not yet.
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n4/ntp2_3", "n3/ntp2_4"));
  Delta delta{.origin = "s6", .changes = {Make(2, "ntp2_5")}};
  ASSERT_TRUE(directory_.HandleGroup(6, delta, kStart + 1s));
  EXPECT_THAT(Visible(), ElementsAre("n4/ntp2_3", "n3/ntp2_4", "n2/ntp2_5"));
  EXPECT_EQ(directory_.NextTimeout(), kStart + Directory::kGroupSettle);
  directory_.HandleTimeout(kStart + Directory::kGroupSettle);
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_4", "n2/ntp2_5"));
}

TEST_F(DirectoryTest, ReconnectingToTheSameStewardReplacesTheTable) {
  ASSERT_TRUE(
      directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3"), Make(3, "ntp2_3")}), kStart));
  directory_.HandleStewardLost();
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(3, "ntp2_3")}), kStart));
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_3"));
}

TEST_F(DirectoryTest, WhatAThirdStewardHasNotHeardOfIsRememberedFromTheFirst) {
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3")}), kStart));
  directory_.HandleStewardLost();
  ASSERT_TRUE(directory_.HandleGroup(6, Snapshot("s6", {}), kStart));
  directory_.HandleStewardLost();
  directory_.HandleTimeout(kStart + 1h);
  ASSERT_TRUE(directory_.HandleGroup(7, Snapshot("s7", {}), kStart + 1h));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3"));
}

TEST_F(DirectoryTest, EntriesOfNodesThatFlockSaysAreGoneVanishAtOnce) {
  directory_.HandleMembers({Alive(1), Alive(2), Alive(3)});
  ASSERT_TRUE(
      directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3"), Make(3, "ntp2_3")}), kStart));
  directory_.HandleMembers({Alive(1), Alive(2, false), Alive(3)});
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_3"));
  directory_.HandleMembers({Alive(1), Alive(2), Alive(3)});  // refuted
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n3/ntp2_3"));
  directory_.HandleStewardLost();
  directory_.HandleMembers({Alive(1), Alive(3)});  // forgotten
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_3"));
  directory_.HandleMembers({Alive(1), Alive(2), Alive(3)});  // another boot of it
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_3"));
}

TEST_F(DirectoryTest, AFlockThatBeginsAgainDoesNotEmptyTheDirectory) {
  const auto self = [](const std::string& boot) {
    Member member = Alive(1);
    member.boot = boot;
    return member;
  };
  directory_.HandleMembers({self("a"), Alive(2), Alive(3), Alive(4, false)});
  ASSERT_TRUE(directory_.HandleGroup(
      5, Snapshot("s5", {Make(2, "ntp2_3"), Make(3, "ntp2_3"), Make(4, "ntp2_3")}), kStart));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n3/ntp2_3"));
  directory_.HandleMembers({self("b")});  // it knows nobody yet
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n3/ntp2_3"));
  directory_.HandleMembers({self("b"), Alive(2)});
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n3/ntp2_3"));
  directory_.HandleMembers({self("b")});  // and forgets one that it knew
  EXPECT_THAT(Visible(), ElementsAre("n3/ntp2_3"));
}

TEST_F(DirectoryTest, WhatIsOnlyRememberedOfANodeEndsForGoodWhenTheNodeIsGone) {
  directory_.HandleMembers({Alive(2)});
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3")}), kStart));
  ASSERT_TRUE(directory_.HandleGroup(6, Snapshot("s6", {}), kStart));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3"));
  directory_.HandleMembers({Alive(2, false)});
  directory_.HandleMembers({Alive(2)});
  EXPECT_THAT(Visible(), IsEmpty());
}

TEST_F(DirectoryTest, AGoneNodesEntriesThatTheStewardStillHasStayHidden) {
  directory_.HandleMembers({Alive(2, false)});
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {Make(2, "ntp2_3")}), kStart));
  EXPECT_THAT(Visible(), IsEmpty());
  directory_.HandleMembers({Alive(2)});
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3"));
}

TEST_F(DirectoryTest, ARestartedHeartbeaterHasTimeToHearTheServicesAgain) {
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {Make(1, "ntp2_3"), Make(1, "ntp2_4")}), kStart));
  directory_.HandleOwnLost(kStart);
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h2", {}), kStart + 1s));
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3", "n1/ntp2_4"));
  ASSERT_TRUE(directory_.HandleOwn({.origin = "h2", .changes = {Make(1, "ntp2_3")}}, kStart + 2s));
  directory_.HandleTimeout(kStart + 1s + Directory::kOwnSettle);
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3"));
  EXPECT_EQ(directory_.own().size(), 1U);
}

TEST_F(DirectoryTest, ANewHeartbeaterTakesThePlaceOfTheOneBefore) {
  const auto heartbeater = [](int port) {
    return Instance{
        {"radix", "heartbeater1", "heartbeater1_0", "n1", "127.0.0.1:" + std::to_string(port)},
        Status::kServing};
  };
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {heartbeater(7), Make(1, "ntp2_3")}), kStart));
  directory_.HandleOwnLost(kStart);
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3", "n1/heartbeater1_0")) << "its stream may be back";
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h2", {}), kStart + 1s));
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3"));
  EXPECT_EQ(directory_.own().size(), 1U) << "the steward is told too";
  ASSERT_TRUE(directory_.HandleOwn({.origin = "h2", .changes = {heartbeater(8)}}, kStart + 1s));
  EXPECT_THAT(Visible(), ElementsAre("n1/ntp2_3", "n1/heartbeater1_0"));
}

TEST_F(DirectoryTest, WithoutAHeartbeaterItsOwnEntriesEndAfterAWhile) {
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {Make(1, "ntp2_3")}), kStart));
  directory_.HandleOwnLost(kStart);
  directory_.HandleOwnLost(kStart + 20s);  // another try that failed
  directory_.HandleTimeout(kStart + Directory::kOwnKeepWithoutHeartbeater);
  EXPECT_THAT(Visible(), IsEmpty());
}

// As Make, in the horde `shop`.
Instance OfShop(int node, const std::string& inst) {
  Instance instance = Make(node, inst);
  instance.horde = "shop";
  return instance;
}

Member Keyed(int node, std::uint64_t fingerprint) {
  Member member = Alive(node);
  member.fingerprint = fingerprint;
  return member;
}

registry::Hordes Shop(std::uint64_t admitted) {
  registry::Horde shop;
  shop.Set(admitted, "", registry::Standing::kAdmitted);
  registry::Hordes hordes;
  hordes.Put("shop", shop);
  return hordes;
}

TEST_F(DirectoryTest, HidesWhatANodeServesInAHordeThatItIsNotOf) {
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {OfShop(1, "cart_1")}), kStart));
  ASSERT_TRUE(directory_.HandleGroup(
      5, Snapshot("s5", {Make(2, "ntp2_3"), OfShop(2, "cart_2"), OfShop(3, "cart_3")}), kStart));
  directory_.HandleMembers({Keyed(1, 11), Keyed(2, 12), Keyed(3, 13)});
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n1/cart_1", "n2/cart_2", "n3/cart_3"))
      << "nobody has said yet who is of it";
  directory_.SetHordes(Shop(12));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n2/cart_2"));
  directory_.SetHordes(Shop(11));
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3", "n1/cart_1"));
  EXPECT_EQ(directory_.own().size(), 1U) << "the steward is told all the same";
  directory_.SetHordes(registry::Hordes());
  EXPECT_THAT(Visible(), ElementsAre("n2/ntp2_3")) << "there is no such horde";
}

TEST_F(DirectoryTest, WhoTakesOverAnAddressIsNotOfTheHordesOfTheOneBefore) {
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {OfShop(1, "cart_1")}), kStart));
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {OfShop(2, "cart_2")}), kStart));
  directory_.SetHordes(Shop(12));
  EXPECT_THAT(Visible(), ElementsAre("n1/cart_1", "n2/cart_2"))
      << "flock has not said yet whose keys they are";
  directory_.HandleMembers({Keyed(1, 11), Keyed(2, 12)});
  EXPECT_THAT(Visible(), ElementsAre("n2/cart_2"));
  directory_.HandleMembers({Keyed(1, 12), Keyed(2, 14)});
  EXPECT_THAT(Visible(), ElementsAre("n1/cart_1"));
}

TEST_F(DirectoryTest, WhatComesLaterIsHiddenToo) {
  directory_.HandleMembers({Keyed(1, 11), Keyed(2, 12)});
  directory_.SetHordes(Shop(12));
  ASSERT_TRUE(directory_.HandleOwn(Snapshot("h1", {}), kStart));
  ASSERT_TRUE(directory_.HandleGroup(5, Snapshot("s5", {OfShop(2, "cart_2")}), kStart));
  EXPECT_TRUE(directory_.HandleOwn(
      {.revision = 1, .origin = "h1", .changes = {OfShop(1, "cart_1")}}, kStart));
  EXPECT_THAT(Visible(), ElementsAre("n2/cart_2"));
}

}  // namespace
}  // namespace radix::reeve
