#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/confab/random.h"
#include "services/registry/instance_table.h"
#include "services/registry/selection.h"

namespace radix::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Instance Make(std::string inst, std::string node, std::string net_id,
              Status status = Status::kServing) {
  std::string api = inst.substr(0, inst.find('_'));
  return Instance{{"default", std::move(api), std::move(inst), std::move(node), std::move(net_id)},
                  status};
}

std::vector<std::string> NetIds(const std::vector<Instance>& instances) {
  std::vector<std::string> ids;
  for (const Instance& instance : instances) ids.push_back(instance.net_id);
  return ids;
}

// A reader that applies deltas as another process would.
void Apply(const Delta& delta, InstanceTable& copy) {
  if (delta.snapshot) {
    copy.Replace(delta.changes);
  } else {
    for (const Instance& change : delta.changes) copy.Put(change);
  }
}

TEST(InstanceTableTest, GrowsItsRevisionOnlyWhenReadersWouldAct) {
  InstanceTable table;
  Instance instance = Make("ntp2_3", "n1", "127.0.0.1:1");
  EXPECT_TRUE(table.Put(instance));
  instance.valid_until_ns = 5;  // a renewal
  EXPECT_FALSE(table.Put(instance));
  EXPECT_EQ(table.revision(), 1U);
  EXPECT_EQ(table.Find(instance)->valid_until_ns, 5);
  instance.status = Status::kDraining;
  EXPECT_TRUE(table.Put(instance));
  EXPECT_TRUE(table.Remove(instance));
  EXPECT_FALSE(table.Remove(instance));
  EXPECT_EQ(table.revision(), 3U);
  EXPECT_EQ(table.digest(), 0U);
}

TEST(InstanceTableTest, TellsAReaderEachChangeOnceHoweverOftenItHappened) {
  InstanceTable table;
  table.Put(Make("ntp2_3", "n1", "127.0.0.1:1"));
  const std::uint64_t seen = table.revision();
  for (int i = 0; i < 100; ++i) {
    table.Put(Make("ntp2_3", "n1", "127.0.0.1:2", Status::kDraining));
    table.Put(Make("ntp2_3", "n1", "127.0.0.1:2", Status::kServing));
  }
  const Delta delta = table.Since(seen);
  EXPECT_FALSE(delta.snapshot);
  EXPECT_THAT(NetIds(delta.changes), ElementsAre("127.0.0.1:2"));
  EXPECT_THAT(table.Since(delta.revision).changes, IsEmpty());
}

TEST(InstanceTableTest, GivesASnapshotToAReaderThatIsTooFarBehind) {
  InstanceTable table(/*removals_max=*/2);
  table.Put(Make("ntp2_3", "n1", "127.0.0.1:9"));
  const std::uint64_t seen = table.revision();
  for (int i = 1; i <= 3; ++i) {
    const Instance instance = Make("ntp2_3", "n1", "127.0.0.1:" + std::to_string(i));
    table.Put(instance);
    table.Remove(instance);
  }
  const Delta delta = table.Since(seen);
  EXPECT_TRUE(delta.snapshot);
  EXPECT_THAT(NetIds(delta.changes), ElementsAre("127.0.0.1:9"));
  EXPECT_TRUE(table.Since(table.revision() + 1).snapshot);  // of another table
}

TEST(InstanceTableTest, SinceLeadsEveryReaderToTheSameTableWhateverItMissed) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    InstanceTable table(/*removals_max=*/8);
    InstanceTable copy;
    std::optional<std::uint64_t> seen;
    for (int step = 0; step < 500; ++step) {
      Instance instance =
          Make("ntp2_" + std::to_string(random.Below(3)), "n" + std::to_string(random.Below(3)),
               "127.0.0.1:" + std::to_string(random.Below(6)));
      instance.status = static_cast<Status>(random.Below(3));
      table.Put(instance);
      if (!random.Chance(0.2)) continue;
      const Delta delta = table.Since(seen);
      Apply(delta, copy);
      seen = delta.revision;
      ASSERT_EQ(copy.digest(), delta.digest) << "seed " << seed << " step " << step;
      ASSERT_EQ(copy.size(), table.size());
    }
  }
}

TEST(InstanceTableTest, FiltersBySelectorAndListsInOrder) {
  InstanceTable table;
  table.Put(Make("ntp2_4", "n2", "127.0.0.2:1"));
  table.Put(Make("ntp2_3", "n1", "127.0.0.1:1"));
  table.Put(Make("web_1", "n1", "127.0.0.1:2"));
  EXPECT_THAT(NetIds(table.List()), ElementsAre("127.0.0.1:1", "127.0.0.2:1", "127.0.0.1:2"));
  EXPECT_THAT(NetIds(table.List({.horde = "default", .api = "ntp2"})),
              ElementsAre("127.0.0.1:1", "127.0.0.2:1"));
  EXPECT_THAT(NetIds(table.List({.inst = "ntp2_4"})), ElementsAre("127.0.0.2:1"));
  EXPECT_THAT(table.List({.horde = "other"}), IsEmpty());
  EXPECT_THAT(NetIds(table.Since(0, {.api = "web"}).changes), ElementsAre("127.0.0.1:2"));
}

TEST(DigestTest, TellsFieldsApart) {
  const Instance a = Make("ab_1", "n1", "127.0.0.1:1");
  Instance b = a;
  b.labels = {"x", "y"};
  Instance c = a;
  c.labels = {"xy"};
  EXPECT_NE(HashOf(a), HashOf(b));
  EXPECT_NE(HashOf(b), HashOf(c));
  b = a;
  b.valid_until_ns = 7;
  EXPECT_EQ(HashOf(a), HashOf(b));
}

TEST(BestFirstTest, PrefersTheGreatestInstThenTheOwnNodeAndPutsDrainingLast) {
  const std::vector<Instance> all = {
      Make("ntp2_4", "n1", "127.0.0.1:1"), Make("ntp2_4", "n2", "127.0.0.2:1"),
      Make("ntp2_3", "n2", "127.0.0.2:2"), Make("ntp2_5", "n2", "127.0.0.2:3", Status::kDraining)};
  EXPECT_THAT(NetIds(BestFirst(all, {.node = "n2"})),
              ElementsAre("127.0.0.2:1", "127.0.0.1:1", "127.0.0.2:2"));
  EXPECT_THAT(NetIds(BestFirst(all, {.node = "n2", .include_draining = true})),
              ElementsAre("127.0.0.2:1", "127.0.0.1:1", "127.0.0.2:2", "127.0.0.2:3"));
}

TEST(BestFirstTest, AmongEqualsEveryNodeComesFirstForItself) {
  std::vector<Instance> all;
  for (int i = 1; i <= 8; ++i) {
    all.push_back(Make("ntp2_4", "n" + std::to_string(i), "127.0.0." + std::to_string(i) + ":1"));
  }
  for (const Instance& own : all) {
    EXPECT_EQ(BestFirst(all, {.node = own.node}).front().net_id, own.net_id);
  }
}

TEST(BestFirstTest, SpreadsCallersAndKeepsTheirChoiceWhenAnotherInstanceGoes) {
  std::vector<Instance> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(Make("ntp2_4", "s", "127.0.0.9:" + std::to_string(1000 + i)));
  }
  std::map<std::string, int> chosen;
  for (int caller = 0; caller < 1000; ++caller) {
    const std::string node = "n" + std::to_string(caller);
    const std::string best = BestFirst(all, {.node = node}).front().net_id;
    ++chosen[best];
    std::vector<Instance> fewer = all;
    std::erase_if(fewer, [&](const Instance& each) { return each.net_id == all[0].net_id; });
    if (best != all[0].net_id) {
      ASSERT_EQ(BestFirst(fewer, {.node = node}).front().net_id, best);
    }
  }
  ASSERT_EQ(chosen.size(), 4U);
  for (const auto& [net_id, count] : chosen) EXPECT_GT(count, 150) << net_id;
}

TEST(NameTest, RefusesWhatIsNoNameAndQuotesOnlyItsBeginning) {
  EXPECT_TRUE(CheckApiName("api", "Ntp-2.x_1").ok());
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string("a\x01"),
                                 std::string("a b"), std::string(64, 'a')}) {
    EXPECT_THAT(std::string(CheckApiName("api", bad).message()), HasSubstr("api: '"));
  }
  const absl::Status huge = CheckName("horde", std::string(1 << 16, 'x'));
  EXPECT_EQ(huge.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LT(huge.message().size(), 200U);
}

TEST(NameTest, NoticesNumbersOfDifferentWidth) {
  EXPECT_TRUE(NumberWidthsDiffer("ntp2_9", "ntp2_10"));
  EXPECT_TRUE(NumberWidthsDiffer("a1.9.0", "a1.10.0"));
  EXPECT_FALSE(NumberWidthsDiffer("ntp2_9", "ntp2_8"));
  EXPECT_FALSE(NumberWidthsDiffer("ntp2_9", "ntp3_10"));  // decided before the width matters
  EXPECT_FALSE(NumberWidthsDiffer("ntp2_a", "ntp2_bb"));
}

}  // namespace
}  // namespace radix::registry
