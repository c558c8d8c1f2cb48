// What the registry's services refuse, and what they do when somebody else is slow or away.

#include <gmock/gmock.h>

#include <atomic>
#include <map>

#include "clients/cpp/client_stream.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/registry/registry_chain_test.h"

namespace radix::registry {
namespace {

using google::protobuf::util::TimeUtil;
using testing::HasSubstr;

using RegistryLimitsTest = RegistryChainTest;

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

// Opens a stream with this hello and returns how it ends.
grpc::Status HelloResult(const std::string& net_id, const steward::v1::Hello& hello) {
  auto stub =
      steward::v1::StewardService::NewStub(*confab::Dial(confab::Node{}, net_id, "steward"));
  auto stream = ClientBidi<steward::v1::SyncRequest, steward::v1::SyncResponse>::Create(4);
  auto ended = std::make_shared<std::promise<grpc::Status>>();
  stub->async()->Sync(&stream->context(), stream.get());
  stream->Begin({.on_message = [stream](const auto&) { stream->HalfClose(); },
                 .on_end = [ended](const grpc::Status& status) { ended->set_value(status); }});
  steward::v1::SyncRequest request;
  *request.mutable_hello() = hello;
  stream->Send(request);
  return Await(ended->get_future(), "the end of a steward's stream");
}

TEST_F(RegistryLimitsTest, TheStewardRefusesWrongHellosAndEverybodyAfterItsLease) {
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
  Await(steward_->over.get_future(), "the steward to see that its lease is over");
  ASSERT_TRUE(Eventually([&] { return !At(2).State().steward_connected(); }));
  EXPECT_FALSE(HelloResult(net_id, good).ok());
  EXPECT_EQ(steward_->service.CheckLease().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RegistryLimitsTest, ReeveRefusesBadSelectorsNamingTheField) {
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
    Await(done_.get_future(), "the end of a watch");
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
    Await(ended_.get_future(), "the end of a stream of beats");
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

TEST_F(RegistryLimitsTest, AWatcherThatDoesNotReadCostsNothingAndThenGetsTheLatest) {
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

TEST_F(RegistryLimitsTest, MusterKeepsThroughTheProctorAndFillsFromIt) {
  const confab::Node leader = At(1).node;
  FakeProctor proctor;
  const auto proctor_server =
      *confab::Server::Start(leader, {.socket = "proctor"},
                             {{&proctor, proctor::v1::ProctorService::service_full_name()}});
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
    const std::lock_guard lock(proctor.mutex);
    proctor.knows = true;
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
    const std::lock_guard lock(proctor.mutex);
    EXPECT_EQ(proctor.decisions.size(), 1U);
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
