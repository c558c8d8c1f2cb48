// The registry's services together: beats go in at one node, lookups come out at another.

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <thread>

#include "clients/cpp/call.h"
#include "clients/cpp/heartbeat.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/healthminder/healthminder_service.h"
#include "services/heartbeater/heartbeater_service.h"
#include "services/muster/muster_service.h"
#include "services/reeve/reeve_service.h"
#include "services/registry/fake_flock.h"
#include "services/registry/group_driver.h"
#include "services/steward/steward_service.h"

namespace radix::registry {
namespace {

using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Waits for what other threads bring about; fails the test after twenty seconds.
bool Eventually(const std::function<bool()>& holds) {
  const Instant deadline = confab::Now() + 20s;
  while (!holds()) {
    if (confab::Now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

// One node's flock, heartbeater and reeve.
struct TestNode {
  TestNode(const std::filesystem::path& folder, const IpAddress& address, int number,
           std::uint16_t steward_port)
      : node{.name = "n" + std::to_string(number),
             .address = address,
             .state = folder / ("n" + std::to_string(number))},
        flock(node),
        heartbeater(node, "lab"),
        heartbeater_server(*confab::Server::Start(
            node, {.socket = "heartbeater"},
            {{&heartbeater, heartbeater::v1::HeartbeaterService::service_full_name()}})),
        reeve(node, steward_port),
        reeve_server(
            *confab::Server::Start(node, {.socket = "reeve", .port = 0},
                                   {{&reeve, reeve::v1::ReeveService::service_full_name()}})),
        stub(reeve::v1::ReeveService::NewStub(confab::DialLocal(node, "reeve"))) {}

  ~TestNode() {
    beats.clear();
    reeve.EndStreams();
    heartbeater.EndStreams();
    reeve_server->Shutdown(1s);
    heartbeater_server->Shutdown(1s);
  }

  void Beat(const std::string& inst, int port) {
    heartbeater::v1::BeatRequest beat;
    beat.set_net_id(node.address.ToString() + ":" + std::to_string(port));
    beat.set_status(v1::STATUS_SERVING);
    beat.set_api("ntp2");
    beat.set_inst(inst);
    beats.push_back(std::make_unique<Heartbeat>(Network{node}, beat));
  }

  grpc::Status Lookup(const v1::Selector& selector, reeve::v1::LookupResponse& response) {
    reeve::v1::LookupRequest request;
    *request.mutable_selector() = selector;
    return Call(*stub->async(), &reeve::v1::ReeveService::StubInterface::async_interface::Lookup,
                request, response);
  }

  // What a lookup of ntp2 finds, as `node/inst`, best first.
  std::vector<std::string> Found() {
    v1::Selector selector;
    selector.set_api("ntp2");
    reeve::v1::LookupResponse response;
    std::vector<std::string> found;
    if (!Lookup(selector, response).ok()) return found;
    for (const auto& each : response.instances()) found.push_back(each.node() + "/" + each.inst());
    return found;
  }

  reeve::v1::GetStateResponse State() {
    reeve::v1::GetStateResponse state;
    Call(*stub->async(), &reeve::v1::ReeveService::StubInterface::async_interface::GetState,
         reeve::v1::GetStateRequest(), state);
    return state;
  }

  confab::Node node;
  FakeFlock flock;
  heartbeater::HeartbeaterServiceImpl heartbeater;
  std::unique_ptr<confab::Server> heartbeater_server;
  reeve::ReeveServiceImpl reeve;
  std::unique_ptr<confab::Server> reeve_server;
  std::unique_ptr<reeve::v1::ReeveService::Stub> stub;
  std::vector<std::unique_ptr<Heartbeat>> beats;
};

// A proctor that keeps decisions in memory, for muster.
class FakeProctor final : public proctor::v1::ProctorService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Propose(grpc::CallbackServerContext* context,
                                    const proctor::v1::ProposeRequest* request,
                                    proctor::v1::ProposeResponse* /*response*/) override {
    const std::lock_guard lock(mutex);
    if (knows) decisions[request->decision().key()] = request->decision();
    return Finish(context);
  }
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const proctor::v1::ListDecisionsRequest* /*request*/,
                                          proctor::v1::ListDecisionsResponse* response) override {
    const std::lock_guard lock(mutex);
    for (const auto& [key, decision] : decisions) *response->add_decisions() = decision;
    return Finish(context);
  }

  std::mutex mutex;
  bool knows = false;
  std::map<std::string, proctor::v1::Decision> decisions;

 private:
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context) const {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(knows ? grpc::Status::OK
                          : grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "knows nothing"));
    return reactor;
  }
};

// The steward of one epoch, on a node that exists.
struct TestSteward {
  TestSteward(const Charter& charter, const confab::Node& node, std::uint64_t epoch,
              std::uint16_t port)
      : service(charter, epoch, [this] { over.set_value(); }),
        muster(node, [this] { return service.CheckLease(); }),
        group(node, [this](const Group& now) { service.HandleGroup(now); }) {
    auto started =
        confab::Server::Start(node, {.port = port},
                              {{&service, steward::v1::StewardService::service_full_name()},
                               {&muster, muster::v1::MusterService::service_full_name()}});
    EXPECT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
  }
  ~TestSteward() {
    service.EndStreams();
    server->Shutdown(0s);
  }

  std::promise<void> over;
  steward::StewardServiceImpl service;
  muster::MusterServiceImpl muster;
  GroupLink group;
  std::unique_ptr<confab::Server> server;
};

// Nodes on addresses that no other test uses now, in one process.
class RegistryChainTest : public testing::Test {
 protected:
  static constexpr int kNodes = 3;

  void SetUp() override {
    std::string folder = testing::TempDir() + "regXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    const std::uint64_t random = confab::RandomNumber();
    subnet_ = "127." + std::to_string(90 + random % 100) + "." +
              std::to_string((random >> 8) % 250) + ".";
    charter_ = *Charter::Create({.bloc = "lab",
                                 .ranges = {subnet_ + "1-" + subnet_ + "9"},
                                 .port = 7117,
                                 .key_file = "none"});
    // Nothing else listens on these addresses, so whatever port is free now stays so.
    const confab::Node probe{.name = "probe", .address = Address(1), .state = folder_ / "probe"};
    heartbeater::HeartbeaterServiceImpl nothing(probe, "lab");
    auto server = *confab::Server::Start(
        probe, {.port = 0}, {{&nothing, heartbeater::v1::HeartbeaterService::service_full_name()}});
    steward_port_ = Endpoint::Parse(server->net_id())->port;
    server->Shutdown(0s);
    for (int i = 1; i <= kNodes; ++i) {
      nodes_.push_back(std::make_unique<TestNode>(folder_, Address(i), i, steward_port_));
    }
  }

  void TearDown() override {
    steward_.reset();
    proctor_server_.reset();
    nodes_.clear();
    std::filesystem::remove_all(folder_);
  }

  IpAddress Address(int number) const {
    return *IpAddress::Parse(subnet_ + std::to_string(number));
  }

  TestNode& At(int number) { return *nodes_[static_cast<std::size_t>(number - 1)]; }

  // Has every node's flock say that node `leader` is sealed under `epoch`; 0 for nobody.
  void Lead(int leader, std::uint64_t epoch, std::set<int> dead = {}) {
    for (int i = 1; i <= kNodes; ++i) {
      flock::v1::WatchGroupResponse group;
      group.set_node(At(i).node.name);
      if (leader != 0) {
        group.set_epoch(static_cast<std::int64_t>(epoch));
        group.set_leader_address(At(leader).node.address.ToString());
        if (i == leader) *group.mutable_lease_remaining_duration() = lease_;
      }
      for (int j = 1; j <= kNodes; ++j) {
        *group.add_members() = FakeMember(At(j).node, !dead.contains(j));
      }
      At(i).flock.Say(group);
    }
  }

  void StartSteward(int leader, std::uint64_t epoch) {
    steward_.reset();
    Lead(leader, epoch);
    steward_ = std::make_unique<TestSteward>(charter_, At(leader).node, epoch, steward_port_);
  }

  bool AllConnected(std::uint64_t epoch) {
    for (int i = 1; i <= kNodes; ++i) {
      const auto state = At(i).State();
      if (!state.steward_connected() || state.epoch() != static_cast<std::int64_t>(epoch)) {
        return false;
      }
    }
    return true;
  }

  // Whether all nodes agree, on something that is not nothing.
  bool OneRegistry() {
    const auto first = At(1).State();
    for (int i = 2; i <= kNodes; ++i) {
      if (At(i).State().digest() != first.digest()) return false;
    }
    return first.digest() != 0;
  }

  std::filesystem::path folder_;
  std::string subnet_;
  Charter charter_;
  std::uint16_t steward_port_ = 0;
  google::protobuf::Duration lease_ = TimeUtil::SecondsToDuration(1000);
  std::vector<std::unique_ptr<TestNode>> nodes_;
  FakeProctor proctor_;
  std::unique_ptr<confab::Server> proctor_server_;
  std::unique_ptr<TestSteward> steward_;
};

TEST_F(RegistryChainTest, ABeatAtOneNodeIsFoundAtAnotherAndGoesWhenItIsWithdrawn) {
  At(1).Beat("ntp2_3", 4000);
  // Its own node needs no steward.
  ASSERT_TRUE(Eventually([&] { return At(1).Found() == std::vector<std::string>{"n1/ntp2_3"}; }));
  EXPECT_THAT(At(2).Found(), IsEmpty());
  StartSteward(2, 1);
  At(3).Beat("ntp2_4", 4000);
  ASSERT_TRUE(Eventually([&] {
    return At(2).Found() == std::vector<std::string>{"n3/ntp2_4", "n1/ntp2_3"};
  }));
  ASSERT_TRUE(Eventually([&] { return OneRegistry() && AllConnected(1); }));
  At(1).beats.clear();
  EXPECT_TRUE(Eventually([&] { return At(2).Found() == std::vector<std::string>{"n3/ntp2_4"}; }));
}

TEST_F(RegistryChainTest, WatchersOfAnotherNodeHearOfChanges) {
  StartSteward(1, 1);
  reeve::v1::WatchRequest request;
  request.mutable_selector()->set_inst("ntp2_3");
  auto watch = ClientStream<reeve::v1::WatchResponse>::Create();
  std::mutex mutex;
  std::vector<std::pair<std::string, v1::Status>> heard;
  std::vector<bool> snapshots;
  std::promise<void> ended;
  At(2).stub->async()->Watch(&watch->context(), &request, watch.get());
  watch->Begin({.on_message =
                    [&](const reeve::v1::WatchResponse& response) {
                      const std::lock_guard lock(mutex);
                      snapshots.push_back(response.delta().snapshot());
                      for (const auto& change : response.delta().changes()) {
                        heard.emplace_back(change.instance().inst(), change.instance().status());
                      }
                    },
                .on_end = [&](const grpc::Status&) { ended.set_value(); }});
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return heard.size();
  };
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return snapshots.size() == 1;
  }));
  At(3).Beat("ntp2_9", 4009);  // not asked for
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return count() == 1; }));
  At(3).beats.back()->SetStatus(v1::STATUS_DRAINING);
  ASSERT_TRUE(Eventually([&] { return count() == 2; }));
  At(3).beats.clear();
  ASSERT_TRUE(Eventually([&] { return count() == 3; }));
  watch->Cancel();
  ended.get_future().wait();
  EXPECT_THAT(heard, ElementsAre(std::pair("ntp2_3", v1::STATUS_SERVING),
                                 std::pair("ntp2_3", v1::STATUS_DRAINING),
                                 std::pair("ntp2_3", v1::STATUS_DEAD)));
  EXPECT_TRUE(snapshots.at(0));
  EXPECT_FALSE(snapshots.at(1));
}

TEST_F(RegistryChainTest, ANewEpochsStewardRefillsWhileLookupsGoOn) {
  StartSteward(1, 1);
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return At(2).Found().size() == 1; }));
  // A watcher would hear of any gap, however short.
  reeve::v1::WatchRequest request;
  request.mutable_selector()->set_api("ntp2");
  auto watch = ClientStream<reeve::v1::WatchResponse>::Create();
  std::atomic<int> deaths = 0;
  std::promise<void> ended;
  At(2).stub->async()->Watch(&watch->context(), &request, watch.get());
  watch->Begin({.on_message =
                    [&](const reeve::v1::WatchResponse& response) {
                      for (const auto& change : response.delta().changes()) {
                        if (change.instance().status() == v1::STATUS_DEAD) ++deaths;
                      }
                    },
                .on_end = [&](const grpc::Status&) { ended.set_value(); }});
  steward_.reset();
  Lead(0, 0);
  ASSERT_TRUE(Eventually([&] { return !At(2).State().steward_connected(); }));
  EXPECT_THAT(At(2).Found(), ElementsAre("n3/ntp2_3"));
  StartSteward(2, 5);
  ASSERT_TRUE(Eventually([&] { return AllConnected(5) && OneRegistry(); }));
  auto stub = steward::v1::StewardService::NewStub(
      *confab::Dial(Endpoint{Address(2), steward_port_}.ToString()));
  steward::v1::GetStateResponse state;
  ASSERT_TRUE(Eventually([&] {
    return Call(*stub->async(),
                &steward::v1::StewardService::StubInterface::async_interface::GetState,
                steward::v1::GetStateRequest(), state)
               .ok() &&
           state.nodes_size() == kNodes && state.instance_count() == 1;
  }));
  EXPECT_EQ(state.epoch(), 5);
  EXPECT_EQ(state.digest(), At(1).State().digest());
  At(3).beats.clear();
  EXPECT_TRUE(Eventually([&] { return At(2).Found().empty(); }));
  EXPECT_TRUE(Eventually([&] { return deaths == 1; }));
  watch->Cancel();
  ended.get_future().wait();
}

TEST_F(RegistryChainTest, ADeadNodesEntriesVanishEverywhere) {
  StartSteward(1, 1);
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return At(2).Found().size() == 1; }));
  Lead(1, 1, {3});
  EXPECT_TRUE(Eventually([&] { return At(2).Found().empty() && At(1).Found().empty(); }));
}

// Opens a stream with this hello and returns how it ends.
grpc::Status HelloResult(const std::string& net_id, const steward::v1::Hello& hello) {
  auto stub = steward::v1::StewardService::NewStub(*confab::Dial(net_id));
  auto stream = ClientBidi<steward::v1::SyncRequest, steward::v1::SyncResponse>::Create(4);
  auto ended = std::make_shared<std::promise<grpc::Status>>();
  auto future = ended->get_future();
  stub->async()->Sync(&stream->context(), stream.get());
  stream->Begin({.on_message = [stream](const auto&) { stream->HalfClose(); },
                 .on_end = [ended](const grpc::Status& status) { ended->set_value(status); }});
  steward::v1::SyncRequest request;
  *request.mutable_hello() = hello;
  stream->Send(request);
  return future.wait_for(20s) == std::future_status::ready ? future.get() : grpc::Status::CANCELLED;
}

TEST_F(RegistryChainTest, TheStewardRefusesWrongHellosAndEverybodyAfterItsLease) {
  lease_ = TimeUtil::SecondsToDuration(1000);
  StartSteward(1, 7);
  ASSERT_TRUE(Eventually([&] { return AllConnected(7); }));
  const std::string net_id = Endpoint{Address(1), steward_port_}.ToString();
  steward::v1::Hello good;
  good.set_epoch(7);
  good.set_node("n9");
  good.set_address(Address(9).ToString());
  good.mutable_table()->set_snapshot(true);
  good.mutable_table()->set_origin("test");
  EXPECT_TRUE(HelloResult(net_id, good).ok());
  const std::vector<std::pair<std::function<void(steward::v1::Hello&)>, std::string>> cases = {
      {[](auto& hello) { hello.set_node("a/b"); }, "hello.node: "},
      {[](auto& hello) { hello.set_address("10.0.0.1"); }, "hello.address: "},
      {[](auto& hello) { hello.set_address("x"); }, "hello.address: "},
      {[](auto& hello) { hello.clear_epoch(); }, "hello.epoch: "},
      {[](auto& hello) { hello.mutable_table()->set_snapshot(false); }, "hello.table: "},
      {[](auto& hello) { hello.mutable_table()->add_changes(); }, "hello.table.changes[0]"},
      {[this](auto& hello) {
         auto& instance = *hello.mutable_table()->add_changes()->mutable_instance();
         instance.set_horde("default");
         instance.set_api("ntp2");
         instance.set_inst("ntp2_3");
         instance.set_node("n9");
         instance.set_net_id(Address(8).ToString() + ":4000");
         instance.set_status(v1::STATUS_SERVING);
       },
       "hello.table.changes[0].instance.net_id: "},
  };
  for (const auto& [spoil, message] : cases) {
    steward::v1::Hello hello = good;
    spoil(hello);
    const grpc::Status status = HelloResult(net_id, hello);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << message;
    EXPECT_THAT(status.error_message(), testing::StartsWith(message));
  }
  steward::v1::Hello other = good;
  other.set_epoch(6);
  const grpc::Status refused = HelloResult(net_id, other);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("epoch 7"));

  lease_ = TimeUtil::MillisecondsToDuration(300);
  Lead(1, 7);  // the last renewal
  ASSERT_EQ(steward_->over.get_future().wait_for(20s), std::future_status::ready);
  ASSERT_TRUE(Eventually([&] { return !At(2).State().steward_connected(); }));
  EXPECT_FALSE(HelloResult(net_id, good).ok());
  EXPECT_EQ(steward_->service.CheckLease().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RegistryChainTest, ReeveRefusesBadSelectorsNamingTheField) {
  reeve::v1::LookupResponse response;
  v1::Selector selector;
  EXPECT_THAT(At(1).Lookup(selector, response).error_message(), HasSubstr("neither api nor inst"));
  selector.set_api("ntp2");
  EXPECT_EQ(At(1).Lookup(selector, response).error_code(), grpc::StatusCode::NOT_FOUND);
  selector.set_inst("ntp2_3");
  EXPECT_EQ(At(1).Lookup(selector, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  selector.clear_inst();
  selector.set_api(std::string(1 << 16, 'x'));
  EXPECT_THAT(At(1).Lookup(selector, response).error_message(),
              testing::StartsWith("selector.api: "));
  selector.set_api("ntp2");
  selector.set_horde("*");  // only a watch may be so wide
  EXPECT_THAT(At(1).Lookup(selector, response).error_message(),
              testing::StartsWith("selector.horde: "));
}

// A client that opens a watch and does not read, until it is told to.
class IdleWatcher final : public grpc::ClientReadReactor<reeve::v1::WatchResponse> {
 public:
  explicit IdleWatcher(const confab::Node& node) {
    // 64 KiB may be on their way; by itself gRPC makes that more as it goes.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub_ = reeve::v1::ReeveService::NewStub(grpc::CreateCustomChannel(
        "unix:" + node.SocketOf("reeve").string(), grpc::InsecureChannelCredentials(), arguments));
    request_.mutable_selector()->set_horde("*");
    stub_->async()->Watch(&context_, &request_, this);
    AddHold();
    StartCall();
  }

  void Read() { StartRead(&response_); }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++messages;
    changes += response_.delta().changes_size();
    revision = response_.delta().revision();
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& /*status*/) override { done_.set_value(); }
  void Finish() {
    context_.TryCancel();
    RemoveHold();
    done_.get_future().wait();
  }

  std::atomic<int> messages = 0;
  std::atomic<int> changes = 0;
  std::atomic<std::int64_t> revision = 0;

 private:
  std::unique_ptr<reeve::v1::ReeveService::Stub> stub_;
  grpc::ClientContext context_;
  reeve::v1::WatchRequest request_;
  reeve::v1::WatchResponse response_;
  std::promise<void> done_;
};

// A service that changes its mind as soon as the heartbeater has taken note of it.
class Flapper {
 public:
  Flapper(const confab::Node& node, int flaps)
      : flaps_left(flaps),
        stub_(heartbeater::v1::HeartbeaterService::NewStub(confab::DialLocal(node, "heartbeater"))),
        stream_(Stream::Create(16)) {
    beat_.set_net_id(node.address.ToString() + ":4000");
    beat_.mutable_issue_time()->set_seconds(1);
    beat_.mutable_valid_until_time()->set_seconds(61);
    beat_.set_status(v1::STATUS_SERVING);
    beat_.set_api("ntp2");
    beat_.set_inst("ntp2_3");
    stub_->async()->Beat(&stream_->context(), stream_.get());
    stream_->Begin({.on_message = [this](const auto& /*response*/) { Flap(); },
                    .on_end = [this](const grpc::Status& /*status*/) { ended_.set_value(); }});
    stream_->Send(beat_);
  }
  ~Flapper() {
    stream_->Cancel();
    ended_.get_future().wait();
  }

  std::atomic<int> flaps_left;

 private:
  using Stream = ClientBidi<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>;

  void Flap() {
    if (flaps_left == 0) return;
    const bool draining = beat_.status() == v1::STATUS_DRAINING;
    beat_.set_status(draining ? v1::STATUS_SERVING : v1::STATUS_DRAINING);
    stream_->Send(beat_);
    --flaps_left;
  }

  std::unique_ptr<heartbeater::v1::HeartbeaterService::Stub> stub_;
  std::shared_ptr<Stream> stream_;
  heartbeater::v1::BeatRequest beat_;
  std::promise<void> ended_;
};

TEST_F(RegistryChainTest, AWatcherThatDoesNotReadCostsNothingAndThenGetsTheLatest) {
  IdleWatcher idle(At(1).node);
  v1::Selector selector;
  selector.set_api("ntp2");
  reeve::v1::LookupResponse response;
  Flapper flapper(At(1).node, /*flaps=*/10'000);
  ASSERT_TRUE(Eventually([&] { return flapper.flaps_left == 0; }));
  At(1).Beat("ntp2_4", 4001);
  ASSERT_TRUE(Eventually(
      [&] { return At(1).Found().size() == 2 && At(1).Lookup(selector, response).ok(); }));
  idle.Read();
  ASSERT_TRUE(Eventually([&] {
    return At(1).Lookup(selector, response).ok() && idle.revision == response.revision();
  }));
  idle.Finish();
  // What fits into the transport's window was sent; the rest was coalesced.
  EXPECT_GT(response.revision(), 2000) << "too few changes got through to show anything";
  EXPECT_LT(idle.changes, response.revision() / 2);
}

TEST_F(RegistryChainTest, TheHealthminderSeesFlapsOfOtherNodes) {
  healthminder::HealthminderServiceImpl minder(At(1).node);
  const auto server = *confab::Server::Start(
      At(1).node, {.socket = "healthminder"},
      {{&minder, healthminder::v1::HealthminderService::service_full_name()}});
  const auto stub =
      healthminder::v1::HealthminderService::NewStub(confab::DialLocal(At(1).node, "healthminder"));
  healthminder::v1::ListAvailabilityResponse response;
  const auto list = [&](const healthminder::v1::ListAvailabilityRequest& request) {
    response.Clear();
    using Async = healthminder::v1::HealthminderService::StubInterface::async_interface;
    return Call(*stub->async(), &Async::ListAvailability, request, response);
  };
  const auto status_is = [&](v1::Status status) {
    return list({}).ok() && response.availabilities_size() == 1 &&
           response.availabilities(0).instance().status() == status;
  };
  StartSteward(2, 1);
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return status_is(v1::STATUS_SERVING); }));
  At(3).beats.clear();
  ASSERT_TRUE(Eventually([&] { return status_is(v1::STATUS_DEAD); }));
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return status_is(v1::STATUS_SERVING); }));
  EXPECT_EQ(response.availabilities(0).flap_count(), 1);
  EXPECT_GT(response.availabilities(0).since_time().seconds(), 1'600'000'000);
  healthminder::v1::ListAvailabilityRequest bad;
  bad.mutable_selector()->set_api("a/b");
  EXPECT_THAT(list(bad).error_message(), testing::StartsWith("selector.api: "));
  server->Shutdown(1s);
}

TEST_F(RegistryChainTest, MusterKeepsThroughTheProctorAndFillsFromIt) {
  confab::Node leader = At(1).node;
  proctor_server_ =
      *confab::Server::Start(leader, {.socket = "proctor"},
                             {{&proctor_, proctor::v1::ProctorService::service_full_name()}});
  muster::v1::RegisterRequest request;
  request.mutable_entry()->set_api("ntp2");
  request.mutable_entry()->set_inst("ntp2_3");
  request.mutable_entry()->set_filename("sha256:" + std::string(64, 'a'));
  muster::v1::RegisterResponse kept;
  using Async = reeve::v1::ReeveService::StubInterface::async_interface;
  auto& stub = *At(2).stub->async();

  EXPECT_EQ(Call(stub, &Async::RegisterEntry, request, kept).error_code(),
            grpc::StatusCode::UNAVAILABLE);  // no steward
  StartSteward(1, 3);
  ASSERT_TRUE(Eventually([&] { return AllConnected(3); }));
  muster::v1::SearchRequest all;
  muster::v1::SearchResponse found;
  const grpc::Status early = Call(stub, &Async::SearchEntries, all, found);
  EXPECT_EQ(early.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(early.error_message(), HasSubstr("not loaded yet"));
  {
    const std::lock_guard lock(proctor_.mutex);
    proctor_.knows = true;
  }
  ASSERT_TRUE(Eventually([&] { return Call(stub, &Async::SearchEntries, all, found).ok(); }));
  ASSERT_TRUE(Call(stub, &Async::RegisterEntry, request, kept).ok());
  EXPECT_EQ(kept.entry().horde(), "default");
  EXPECT_GT(kept.entry().register_time().seconds(), 0);
  request.mutable_entry()->set_filename("../etc/passwd");
  const grpc::Status bad = Call(stub, &Async::RegisterEntry, request, kept);
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(bad.error_message(), testing::StartsWith("entry.filename: "));
  {
    const std::lock_guard lock(proctor_.mutex);
    EXPECT_EQ(proctor_.decisions.size(), 1U);
  }
  // The next steward knows only what the proctor kept.
  StartSteward(1, 4);
  ASSERT_TRUE(Eventually(
      [&] { return AllConnected(4) && Call(stub, &Async::SearchEntries, all, found).ok(); }));
  ASSERT_EQ(found.entries_size(), 1);
  EXPECT_EQ(found.entries(0).inst(), "ntp2_3");
}

}  // namespace
}  // namespace radix::registry
