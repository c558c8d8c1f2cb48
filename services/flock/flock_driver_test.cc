#include "services/flock/flock_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "clients/cpp/call.h"
#include "clients/cpp/client_stream.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/serve.h"
#include "services/flock/flock_service.h"
#include "services/flock/introduction_codec.h"
#include "services/flock/state_driver.h"

namespace radix::flock {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Waits until `condition` holds; false when it does not within 60 s.
bool Eventually(const std::function<bool()>& condition) {
  const Instant limit = confab::Now() + 60s;
  while (!condition()) {
    if (confab::Now() > limit) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

// Counts what is logged.
class LogCounter final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::atomic<int> lines = 0;
  std::atomic<int> errors = 0;

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    ++lines;
    if (message.level >= spdlog::level::err) ++errors;
  }
  void flush_() override {}
};

// A node: a driver with a state folder of its own, and what it told its supervisor.
struct TestNode {
  confab::Node node;
  Config config;
  std::mutex mutex;
  std::vector<std::optional<std::uint64_t>> told;
  std::unique_ptr<FlockDriver> driver;

  std::optional<std::uint64_t> leads() {
    const std::lock_guard lock(mutex);
    return told.empty() ? std::nullopt : told.back();
  }
  std::size_t times_told() {
    const std::lock_guard lock(mutex);
    return told.size();
  }
};

// A bloc on loopback addresses and a port that nobody else uses.
class FlockDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    log_ = std::make_shared<LogCounter>();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_));
    std::string folder = testing::TempDir() + "flockXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    Random random(confab::RandomNumber());
    prefix_ = absl::StrCat("127.", 100 + random.Below(100), ".", random.Below(256), ".",
                           16 * random.Below(16));
    prefix_.resize(prefix_.rfind('.') + 1);
    const auto probe =
        confab::UdpSocket::Open({*IpAddress::Parse(prefix_ + "1"), 0}, kDatagramSizeMax);
    port_ = probe->local().port;
    confab::FillRandom(key_);
  }
  void TearDown() override {
    for (auto& node : nodes_) node->driver.reset();
    fs::remove_all(folder_);
  }

  // `number` from 1 on; its address ends in it.
  TestNode& Add(int number, std::string name = "") {
    auto made = std::make_unique<TestNode>();
    if (name.empty()) name = absl::StrCat("n", number);
    made->node = {name, Address(number), folder_ / absl::StrCat(number), {"KV"}};
    fs::create_directories(made->node.state);
    Config& config = made->config;
    config.charter = *Charter::Create({.bloc = "test",
                                       .ranges = {prefix_ + "1-" + prefix_ + "3"},
                                       .port = port_,
                                       .key_file = "secondary.key"});
    config.slot = static_cast<std::uint32_t>(number - 1);
    config.boot = confab::RandomNumber();
    config.secondary_keys = {key_};
    confab::FillRandom(config.entropy);
    config.identity_seed = *LoadOrMakeNodeKey(made->node.state);
    config.introduction = *EncodeIntroduction({name, made->node.labels});
    config.has_disk = true;
    return *nodes_.emplace_back(std::move(made));
  }

  TestNode& Start(TestNode& node, std::function<void()> on_change = nullptr) {
    auto driver = FlockDriver::Create(node.config, node.node);
    EXPECT_TRUE(driver.ok()) << driver.status();
    node.driver = *std::move(driver);
    node.driver->Begin({.on_change = std::move(on_change),
                        .on_leadership = [&node](std::optional<std::uint64_t> epoch) {
                          const std::lock_guard lock(node.mutex);
                          node.told.push_back(epoch);
                          return true;
                        }});
    return node;
  }

  IpAddress Address(int number) const { return *IpAddress::Parse(absl::StrCat(prefix_, number)); }

  // The live members' names as `node` sees them, if all are known.
  static std::set<std::string> Names(TestNode& node) {
    std::set<std::string> names;
    for (const GroupMember& member : node.driver->View().members) {
      if (IsLive(member.state)) names.insert(member.introduction.name);
    }
    return names;
  }

  // The one whom all of `nodes` take for the sealed leader; nullptr while they do not.
  static TestNode* CommonLeader(const std::vector<TestNode*>& nodes) {
    std::set<MemberId> leaders;
    for (TestNode* node : nodes) {
      const auto sealed = node->driver->View().sealed;
      if (!sealed) return nullptr;
      leaders.insert(sealed->leader);
    }
    if (leaders.size() != 1) return nullptr;
    for (TestNode* node : nodes) {
      if (node->config.boot == leaders.begin()->boot) return node;
    }
    return nullptr;
  }

  std::shared_ptr<LogCounter> log_;
  fs::path folder_;
  std::string prefix_;
  std::uint16_t port_ = 0;
  Key key_{};
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

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
    EXPECT_EQ(node->told.front(), std::nullopt) << "the supervisor is told at the start";
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
  for (const Happening& happening : successor->driver->Happenings()) {
    absl::StrAppend(&kinds, happening.kind, " ");
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

TEST_F(FlockDriverTest, ADiskThatFailsGrantsNothing) {
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
    if (size <= kDatagramSizeMax) ++sent;
    // Not faster than it takes them, so that none is lost on the way.
    if (size % 64 == 0 || size == bytes.size()) {
      ASSERT_TRUE(Eventually([&] { return node.driver->counters().received == sent; })) << size;
    }
  }
  EXPECT_EQ(node.driver->counters().accepted, 0U);
  const Group group = node.driver->View();
  EXPECT_EQ(group.members.size(), 1U);
  for (const Happening& happening : node.driver->Happenings()) {
    EXPECT_EQ(happening.subject, Address(1).ToString()) << happening.kind;
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
    for (const Happening& happening : first.driver->Happenings()) {
      if (happening.kind == KindName(EventKind::kAlarm) &&
          happening.detail.find("two nodes are called twin") != std::string::npos) {
        return happening.subject == Address(2).ToString();
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

// The gRPC face in front of a driver.
class FlockServiceTest : public FlockDriverTest {
 protected:
  void Serve(TestNode& node) {
    node.driver = *FlockDriver::Create(node.config, node.node);
    fs::permissions(node.node.state, fs::perms::owner_all);
    service_ = std::make_unique<FlockServiceImpl>(*node.driver);
    auto server = confab::Server::Start(node.node, {.socket = "flock", .port = std::nullopt},
                                        {confab::Hosted(*service_)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    node.driver->Begin({.on_change = [this] { service_->Wake(); }, .on_leadership = nullptr});
    stub_ = v1::FlockService::NewStub(confab::DialLocal(node.node, "flock"));
  }
  void TearDown() override {
    service_->EndStreams();
    EXPECT_TRUE(server_->Shutdown(1s));
    for (auto& node : nodes_) node->driver->Leave();
    service_.reset();
    FlockDriverTest::TearDown();
  }

  std::unique_ptr<FlockServiceImpl> service_;
  std::unique_ptr<confab::Server> server_;
  std::unique_ptr<v1::FlockService::Stub> stub_;
};

// What a watcher saw, and how its stream ended.
struct Watcher {
  std::mutex mutex;
  std::vector<v1::WatchGroupResponse> seen;
  std::optional<grpc::Status> end;
};

std::shared_ptr<Watcher> Watch(v1::FlockService::Stub& stub) {
  auto watcher = std::make_shared<Watcher>();
  auto stream = ClientStream<v1::WatchGroupResponse>::Create();
  const v1::WatchGroupRequest request;
  stub.async()->WatchGroup(&stream->context(), &request, stream.get());
  stream->Begin({.on_message =
                     [watcher](const v1::WatchGroupResponse& response) {
                       const std::lock_guard lock(watcher->mutex);
                       watcher->seen.push_back(response);
                     },
                 .on_end =
                     [watcher](const grpc::Status& status) {
                       const std::lock_guard lock(watcher->mutex);
                       watcher->end = status;
                     }});
  return watcher;
}

TEST_F(FlockServiceTest, WatchersHearOfMembersTheLeaderAndEachRenewal) {
  TestNode& first = Add(1);
  Serve(first);
  const auto watcher = Watch(*stub_);
  TestNode& second = Start(Add(2));
  // More messages of one leadership than it has events: the lease is renewed.
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(watcher->mutex);
    const auto sealed = std::count_if(
        watcher->seen.begin(), watcher->seen.end(),
        [](const auto& each) { return each.epoch() != 0 && !each.leader_node().empty(); });
    return sealed >= 6;
  }));
  const std::lock_guard lock(watcher->mutex);
  EXPECT_GT(watcher->seen.front().revision(), 0);
  EXPECT_EQ(watcher->seen.front().node(), "n1");
  for (std::size_t i = 1; i < watcher->seen.size(); ++i) {
    EXPECT_GT(watcher->seen[i].revision(), watcher->seen[i - 1].revision());
  }
  const v1::WatchGroupResponse& last = watcher->seen.back();
  ASSERT_EQ(last.members_size(), 2);
  EXPECT_EQ(last.members(0).address(), Address(1).ToString());
  EXPECT_EQ(last.members(0).boot(),
            std::string(absl::StrCat(absl::Hex(first.config.boot, absl::kZeroPad16))));
  EXPECT_EQ(last.members(1).node(), "n2");
  EXPECT_EQ(last.members(1).state(), v1::MEMBER_STATE_ALIVE);
  EXPECT_EQ(last.contact_count(), 2);
  EXPECT_EQ(last.quorum(), 2);
  EXPECT_EQ(last.at_most(), 3);
  const bool leads = last.leader_node() == "n1";
  EXPECT_EQ(last.members(0).leader(), leads);
  EXPECT_EQ(last.members(1).leader(), !leads);
  EXPECT_EQ(last.has_lease_remaining_duration(), leads);
  EXPECT_EQ(last.leader_address(), (leads ? first : second).node.address.ToString());
  // Both are needed for a quorum, so this node has granted, too.
  EXPECT_EQ(last.granted_epoch(), last.epoch());
  EXPECT_EQ(last.granted_address(), last.leader_address());
}

TEST_F(FlockServiceTest, ListsMembersAndEvents) {
  Serve(Add(1));
  Start(Add(2));
  v1::ListMembersResponse members;
  ASSERT_TRUE(Eventually([&] {
    const auto status = Call(*stub_->async(), &v1::FlockService::Stub::async::ListMembers,
                             v1::ListMembersRequest(), members);
    return status.ok() && members.members_size() == 2 && members.members(1).node() == "n2";
  }));
  EXPECT_EQ(members.members(0).node(), "n1");
  v1::ListEventsResponse events;
  ASSERT_TRUE(Call(*stub_->async(), &v1::FlockService::Stub::async::ListEvents,
                   v1::ListEventsRequest(), events)
                  .ok());
  const auto joined =
      std::find_if(events.events().begin(), events.events().end(), [&](const v1::Event& event) {
        return event.kind() == "joined" && event.subject() == Address(2).ToString();
      });
  ASSERT_NE(joined, events.events().end());
  EXPECT_FALSE(joined->detail().empty());
  EXPECT_GT(joined->event_time().seconds(), 1'600'000'000);
}

TEST_F(FlockServiceTest, RefusesMoreWatchersThanItCanServeAndEndsAllAtTheEnd) {
  Serve(Add(1));
  std::vector<std::shared_ptr<Watcher>> watchers;
  for (std::size_t i = 0; i < FlockServiceImpl::kWatchersMax; ++i)
    watchers.push_back(Watch(*stub_));
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(Eventually([&] {
      const std::lock_guard lock(watcher->mutex);
      return !watcher->seen.empty();
    }));
  }
  const auto refused = Watch(*stub_);
  const auto ended = [](const std::shared_ptr<Watcher>& watcher) {
    return Eventually([&] {
      const std::lock_guard lock(watcher->mutex);
      return watcher->end.has_value();
    });
  };
  ASSERT_TRUE(ended(refused));
  EXPECT_EQ(refused->end->error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  service_->EndStreams();
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(ended(watcher));
    EXPECT_EQ(watcher->end->error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

}  // namespace
}  // namespace radix::flock
