#include "services/flock/flock_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/flock/loopback_bloc_test.h"

namespace radix::flock {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using FlockDriverTest = LoopbackBlocTest;

TEST_F(FlockDriverTest, NodesFindEachOtherSealALeaderAndReplaceItWhenItDies) {
  std::vector<TestNode*> nodes;
  for (int i = 1; i <= 3; ++i) nodes.push_back(&Start(Add(i)));
  TestNode* leader = nullptr;
  ASSERT_TRUE(Eventually([&] { return (leader = CommonLeader(nodes)) != nullptr; }));
  for (TestNode* node : nodes) {
    EXPECT_TRUE(Eventually([&] {
      return Names(*node) == std::set<std::string>{"n1", "n2", "n3"};
    }));
    EXPECT_EQ(node->driver->View().members[0].introduction.labels, std::vector<std::string>{"KV"});
  }
  ASSERT_TRUE(Eventually([&] { return leader->leads().has_value(); }));
  const std::uint64_t epoch = *leader->leads();
  for (TestNode* node : nodes) {
    EXPECT_EQ(node->leads().has_value(), node == leader);
    EXPECT_FALSE(node->led_at_the_start()) << "the supervisor is told before there is a leader";
    // Who granted has the promise on disk.
    if (node->driver->View().grant) {
      const auto promise = LoadPromise(node->node.state).value();
      ASSERT_TRUE(promise);
      EXPECT_EQ(promise->epoch, epoch);
      EXPECT_EQ(promise->holder, leader->node.address);
      EXPECT_EQ(promise->boot, leader->config.boot);
    }
  }

  std::erase(nodes, leader);
  leader->driver->Abandon();
  TestNode* successor = nullptr;
  ASSERT_TRUE(Eventually([&] {
    successor = CommonLeader(nodes);
    return successor != nullptr && successor->leads().has_value();
  }));
  EXPECT_GT(*successor->leads(), epoch);
  EXPECT_TRUE(Eventually([&] { return Names(*successor).size() == 2; })) << "the dead is removed";
  std::string kinds;
  for (const Happening& happening : successor->driver->LastEvents(1000)) {
    absl::StrAppend(&kinds, std::string(KindName(happening.entry.event.kind)), " ");
  }
  EXPECT_THAT(kinds, HasSubstr("joined"));
  EXPECT_THAT(kinds, HasSubstr("died"));
  EXPECT_THAT(kinds, HasSubstr("sealed"));
}

TEST_F(FlockDriverTest, ALeaderWithoutAQuorumSaysSoWhenItsLeaseRunsOut) {
  std::vector<TestNode*> nodes = {&Start(Add(1)), &Start(Add(2))};
  TestNode* leader = nullptr;
  ASSERT_TRUE(Eventually([&] {
    leader = CommonLeader(nodes);
    return leader != nullptr && leader->leads().has_value();
  }));
  // Two of three are a quorum, one is none. The other neither gives back nor says good-bye.
  (leader == nodes[0] ? nodes[1] : nodes[0])->driver->Abandon();
  EXPECT_TRUE(Eventually([&] { return !leader->leads().has_value(); }));
  EXPECT_FALSE(leader->driver->View().own.has_value());
}

TEST_F(FlockDriverTest, WhoLeavesIsSeenToLeaveAndLeadsNoMore) {
  std::vector<TestNode*> nodes;
  for (int i = 1; i <= 3; ++i) nodes.push_back(&Start(Add(i)));
  TestNode* leader = nullptr;
  ASSERT_TRUE(Eventually([&] {
    leader = CommonLeader(nodes);
    return leader != nullptr && leader->leads().has_value() && Names(*leader).size() == 3;
  }));
  leader->driver->Leave();
  EXPECT_FALSE(leader->leads().has_value());
  std::erase(nodes, leader);
  EXPECT_TRUE(Eventually([&] {
    const Group group = nodes[0]->driver->View();
    return group.members[leader->config.slot].state == MemberState::kLeft;
  }));
}

TEST_F(FlockDriverTest, WhoseDiskIsFullGrantsAllTheSame) {
  TestNode& full = Add(1);
  fs::create_directories(full.node.state / "epoch.new");
  TestNode& other = Add(2);
  Start(full);
  Start(other);
  // Two of three are the quorum: without the full one's lease there is none.
  EXPECT_TRUE(Eventually([&] { return other.leads().has_value(); }));
  EXPECT_FALSE(full.leads().has_value());
  EXPECT_EQ(LoadPromise(full.node.state).value(), std::nullopt);
  // Once the disk takes it, the promise is there.
  fs::remove(full.node.state / "epoch.new");
  EXPECT_TRUE(Eventually([&] { return LoadPromise(full.node.state).value().has_value(); }));
}

TEST_F(FlockDriverTest, WhoseDiskIsFullDoesNotLead) {
  for (int i = 1; i <= 2; ++i) fs::create_directories(Add(i).node.state / "epoch.new");
  for (auto& node : nodes_) Start(*node);
  // Both asked for a lease, or were asked, often enough for their disks to have been tried twice.
  ASSERT_TRUE(Eventually([&] { return log_->errors >= 4; }));
  // Then the disks work again, and only then there is a leader.
  for (auto& node : nodes_) {
    EXPECT_EQ(LoadPromise(node->node.state).value(), std::nullopt);
    EXPECT_FALSE(node->leads().has_value());
  }
  for (auto& node : nodes_) fs::remove(node->node.state / "epoch.new");
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->leads() || nodes_[1]->leads(); }));
}

std::uint64_t FingerprintOfNode(TestNode& node) {
  const Group group = node.driver->View();
  for (const GroupMember& member : group.members) {
    if (member.id == group.self) return member.fingerprint;
  }
  return 0;
}

TEST_F(FlockDriverTest, ARevokedNodeLeadsNoMoreAndThatOutlivesARestart) {
  for (int i = 1; i <= 3; ++i) Start(Add(i));
  const std::vector<TestNode*> all = {nodes_[0].get(), nodes_[1].get(), nodes_[2].get()};
  TestNode* leader = nullptr;
  ASSERT_TRUE(Eventually([&] { return (leader = CommonLeader(all)) != nullptr; }));
  const std::uint64_t revoked = FingerprintOfNode(*leader);
  std::vector<TestNode*> others = all;
  std::erase(others, leader);
  // One of them has a full disk: it knows all the same.
  fs::create_directories(others[0]->node.state / "revoked.new");
  for (TestNode* const node : all) node->driver->SetRevoked({revoked});
  TestNode* next = nullptr;
  ASSERT_TRUE(Eventually([&] {
    next = CommonLeader(others);
    return next != nullptr && next != leader;
  }));
  EXPECT_FALSE(leader->leads());
  for (const GroupMember& member : others[0]->driver->View().members) {
    EXPECT_EQ(member.revoked, member.fingerprint == revoked);
  }
  EXPECT_THAT(LoadRevoked(others[0]->node.state).value(), testing::IsEmpty());
  fs::remove(others[0]->node.state / "revoked.new");
  for (TestNode* const node : others) {
    EXPECT_TRUE(Eventually([&] { return !LoadRevoked(node->node.state).value().empty(); }));
    EXPECT_THAT(LoadRevoked(node->node.state).value(), testing::ElementsAre(revoked));
  }
  // Nobody has to tell it again: two without whom there is no leader boot, and grant it nothing.
  for (TestNode* const node : others) {
    node->driver->Abandon();
    node->driver.reset();
    node->config.boot = confab::RandomNumber();
    node->config.revoked = LoadRevoked(node->node.state).value();
    node->told.clear();
    Start(*node);
  }
  EXPECT_TRUE(Eventually([&] {
    next = CommonLeader(others);
    return next != nullptr;
  }));
  EXPECT_NE(next, leader);
  EXPECT_FALSE(leader->leads());
}

TEST_F(FlockDriverTest, WrongDatagramsOfAnyLengthChangeNothingAndFillNoLog) {
  TestNode& node = Start(Add(1));
  auto stranger = *confab::UdpSocket::Open({Address(2), port_}, kDatagramSizeMax);
  Random random(confab::RandomNumber());
  std::vector<std::uint8_t> bytes(1500);
  const int lines_before = log_->lines;
  std::uint64_t sent = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.Next());
    stranger.Send({Address(1), port_}, std::span(bytes).first(size));
    ++sent;
    // Not faster than it takes them, so that none is lost on the way.
    if (size % 64 == 0 || size == bytes.size()) {
      ASSERT_TRUE(Eventually([&] { return node.driver->counters().received == sent; })) << size;
    }
  }
  EXPECT_EQ(node.driver->counters().accepted, 0U);
  EXPECT_GE(node.driver->counters().dropped_malformed, bytes.size() - kDatagramSizeMax)
      << "those that are too long, too";
  const Group group = node.driver->View();
  EXPECT_EQ(group.members.size(), 1U);
  for (const Happening& happening : node.driver->LastEvents(1000)) {
    EXPECT_EQ(happening.subject.address, Address(1).ToString()) << happening.detail;
  }
  EXPECT_LE(log_->lines, lines_before + 4);
}

TEST_F(FlockDriverTest, SaysWhichPortIsInUse) {
  TestNode& node = Start(Add(1));
  const auto second = FlockDriver::Create(node.config, node.node);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(Endpoint{Address(1), port_}.ToString()));
}

TEST_F(FlockDriverTest, TwoNodesOfOneNameRaiseAnAlarm) {
  TestNode& first = Start(Add(1, "twin"));
  Start(Add(2, "twin"));
  EXPECT_TRUE(Eventually([&] {
    for (const Happening& happening : first.driver->LastEvents(1000)) {
      if (happening.entry.event.evidence == Evidence::kSameName) {
        return happening.entry.event.kind == EventKind::kAlarm &&
               happening.subject.address == Address(2).ToString() &&
               happening.reporter == std::nullopt;
      }
    }
    return false;
  }));
}

TEST_F(FlockDriverTest, TellsTheSupervisorAgainWhenItDidNotHear) {
  TestNode& node = Add(1);
  auto driver = FlockDriver::Create(node.config, node.node);
  ASSERT_TRUE(driver.ok()) << driver.status();
  std::atomic<int> calls = 0;
  (*driver)->Begin({.on_change = nullptr,
                    .on_leadership = [&](std::optional<std::uint64_t>) { return ++calls >= 3; }});
  EXPECT_TRUE(Eventually([&] { return calls == 3; }));
}
}  // namespace
}  // namespace radix::flock
