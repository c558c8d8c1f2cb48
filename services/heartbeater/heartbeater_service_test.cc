#include "services/heartbeater/heartbeater_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <future>

#include "clients/cpp/call.h"
#include "clients/cpp/client_stream.h"
#include "services/confab/dial.h"
#include "services/confab/process_stat.h"
#include "services/confab/serve.h"
#include "tests/wait.h"

namespace radix::heartbeater {
namespace {

using google::protobuf::util::TimeUtil;
using testing::HasSubstr;
using testing::StartsWith;

v1::BeatRequest GoodBeat(int port = 4000) {
  v1::BeatRequest beat;
  beat.set_net_id("127.0.0.1:" + std::to_string(port));
  *beat.mutable_issue_time() = TimeUtil::SecondsToTimestamp(1'700'000'000);
  *beat.mutable_valid_until_time() = TimeUtil::SecondsToTimestamp(1'700'000'030);
  beat.set_status(::radix::registry::v1::STATUS_SERVING);
  beat.set_api("ntp2");
  beat.set_inst("ntp2_3");
  return beat;
}

// A heartbeater in this process, on a socket in a folder of its own.
class HeartbeaterServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "hbXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    node_ = {.name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = folder};
    service_ = std::make_unique<HeartbeaterServiceImpl>(node_, "lab");
    server_ = *confab::Server::Start(node_, {.socket = "heartbeater"},
                                     {{service_.get(), "radix.heartbeater.v1.HeartbeaterService"}});
    stub_ = v1::HeartbeaterService::NewStub(confab::DialLocal(node_, "heartbeater"));
  }

  void TearDown() override {
    service_->EndStreams();
    server_->Shutdown(1s);
    service_.reset();
    std::filesystem::remove_all(node_.state);
  }

  // Sends one beat and returns how its stream ends; the stream stays open when it is accepted.
  grpc::Status Refusal(const v1::BeatRequest& beat) {
    auto stream = ClientBidi<v1::BeatRequest, v1::BeatResponse>::Create(4);
    auto ended = std::make_shared<std::promise<grpc::Status>>();
    stub_->async()->Beat(&stream->context(), stream.get());
    stream->Begin({.on_message = [stream](const v1::BeatResponse&) { stream->HalfClose(); },
                   .on_end = [ended](const grpc::Status& status) { ended->set_value(status); }});
    stream->Send(beat);
    return Await(ended->get_future(), "the end of a stream of beats");
  }

  confab::Node node_;
  std::unique_ptr<HeartbeaterServiceImpl> service_;
  std::unique_ptr<confab::Server> server_;
  std::unique_ptr<v1::HeartbeaterService::Stub> stub_;
};

// A stream of beats that is not ended in order.
class Beats {
 public:
  explicit Beats(v1::HeartbeaterService::Stub& stub)
      : stream_(ClientBidi<v1::BeatRequest, v1::BeatResponse>::Create(4)),
        ended_(std::make_shared<std::promise<void>>()) {
    stub.async()->Beat(&stream_->context(), stream_.get());
    stream_->Begin({.on_message = [](const v1::BeatResponse&) {},
                    .on_end = [ended = ended_](const grpc::Status&) { ended->set_value(); }});
  }

  bool Send(const v1::BeatRequest& beat) const { return stream_->Send(beat); }
  void Break() const {
    stream_->Cancel();
    Await(ended_->get_future(), "the end of a stream of beats");
  }

 private:
  const std::shared_ptr<ClientBidi<v1::BeatRequest, v1::BeatResponse>> stream_;
  const std::shared_ptr<std::promise<void>> ended_;
};

// What a watcher was told, as a table.
class Watcher {
 public:
  explicit Watcher(v1::HeartbeaterService::Stub& stub)
      : stream_(ClientStream<v1::WatchResponse>::Create()) {
    stub.async()->Watch(&stream_->context(), &request_, stream_.get());
    stream_->Begin({.on_message =
                        [this](const v1::WatchResponse& response) {
                          const std::lock_guard lock(mutex_);
                          ++messages_;
                          for (const auto& change : response.delta().changes()) {
                            statuses_[change.instance().net_id()] = change.instance().status();
                          }
                          changed_.notify_all();
                        },
                    .on_end = [this](const grpc::Status&) { ended_.set_value(); }});
    // It watches from here on: what came and went before, a snapshot does not show.
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [this] { return messages_ > 0; }));
  }
  ~Watcher() {
    stream_->Cancel();
    Await(ended_.get_future(), "the end of a watch");
  }

  // Whether `net_id` gets this status in time.
  bool Sees(const std::string& net_id, ::radix::registry::v1::Status status) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, kPatience, [&] { return statuses_.contains(net_id) && statuses_[net_id] == status; });
  }

  // Whether it has it now.
  bool Has(const std::string& net_id, ::radix::registry::v1::Status status) {
    const std::lock_guard lock(mutex_);
    return statuses_[net_id] == status;
  }

 private:
  v1::WatchRequest request_;
  std::shared_ptr<ClientStream<v1::WatchResponse>> stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::promise<void> ended_;
  int messages_ = 0;
  std::map<std::string, ::radix::registry::v1::Status> statuses_;
};

TEST_F(HeartbeaterServiceTest, RefusesBadBeatsNamingTheField) {
  const std::vector<std::pair<std::function<void(v1::BeatRequest&)>, std::string>> cases = {
      {[](auto& beat) { std::swap(*beat.mutable_issue_time(), *beat.mutable_valid_until_time()); },
       "valid_until_time: must be later"},
      {[](auto& beat) { beat.clear_issue_time(); }, "issue_time: is required"},
      {[](auto& beat) { beat.mutable_issue_time()->set_nanos(-1); }, "issue_time: "},
      {[](auto& beat) { beat.mutable_issue_time()->set_seconds(1LL << 62); }, "issue_time: "},
      {[](auto& beat) { beat.mutable_valid_until_time()->set_seconds(1'700'000'061); },
       "valid_until_time: must be at most 60 s"},
      {[](auto& beat) { beat.set_flock_id("elsewhere"); }, "flock_id: "},
      {[](auto& beat) { beat.set_net_id("127.0.0.2:4000"); }, "net_id: 127.0.0.2:4000 is not at"},
      {[](auto& beat) { beat.set_net_id("n1:4000"); }, "net_id: "},
      {[](auto& beat) { beat.set_net_id("127.0.0.1:0"); }, "net_id: "},
      {[](auto& beat) { beat.clear_net_id(); }, "net_id: "},
      {[](auto& beat) { beat.clear_status(); }, "status: "},
      {[](auto& beat) { beat.set_api("a/b"); }, "api: "},
      {[](auto& beat) { beat.set_api("a\x01"); }, "api: "},
      {[](auto& beat) { beat.clear_inst(); }, "inst: "},
      {[](auto& beat) { beat.set_inst(std::string(1 << 16, 'x')); }, "inst: "},
      {[](auto& beat) { beat.set_horde("../x"); }, "horde: "},
      {[](auto& beat) { beat.add_labels("two words"); }, "labels[0]: "},
      {[](auto& beat) {
         for (int i = 0; i < 17; ++i) beat.add_labels("x");
       },
       "labels: has 17"},
      {[](auto& beat) { beat.set_pid(getpid()); }, "pid_start_ticks: "},
      {[](auto& beat) { beat.set_pid(-1); }, "pid: "},
      {[](auto& beat) { beat.set_pid(getpid()), beat.set_pid_start_ticks(1); }, "pid, pid_start"},
  };
  for (const auto& [spoil, message] : cases) {
    v1::BeatRequest beat = GoodBeat();
    spoil(beat);
    const grpc::Status status = Refusal(beat);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << message;
    EXPECT_THAT(status.error_message(), StartsWith(message));
    EXPECT_LT(status.error_message().size(), 300U);
  }
  v1::ListInstancesResponse response;
  ASSERT_TRUE(Call(*stub_->async(),
                   &v1::HeartbeaterService::StubInterface::async_interface::ListInstances,
                   v1::ListInstancesRequest(), response)
                  .ok());
  EXPECT_EQ(response.instances_size(), 0);
  EXPECT_TRUE(Refusal(GoodBeat()).ok());
}

TEST_F(HeartbeaterServiceTest, TheDeathOfAProcessIsSeenWhileItsStreamAndItsBeatGoOn) {
  pid_t child = 0;
  char name[] = "sleep";
  char time[] = "1000";
  char* arguments[] = {name, time, nullptr};
  ASSERT_EQ(posix_spawnp(&child, name, nullptr, nullptr, arguments, environ), 0);
  Watcher watcher(*stub_);
  const Beats beats(*stub_);
  v1::BeatRequest beat = GoodBeat();  // holds for 30 s, so it cannot be the beat that is missed
  beat.set_pid(child);
  beat.set_pid_start_ticks(confab::ReadProcessStat(child)->start_ticks);
  ASSERT_TRUE(beats.Send(beat));
  ASSERT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_SERVING));
  kill(child, SIGKILL);
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_DEAD));
  waitpid(child, nullptr, 0);
  beats.Break();
}

TEST_F(HeartbeaterServiceTest, TheEndOfAStreamWithdraws) {
  Watcher watcher(*stub_);
  EXPECT_TRUE(Refusal(GoodBeat()).ok());
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_DEAD));
}

// reeve relays the beats of plugins, and may die alone.
TEST_F(HeartbeaterServiceTest, ABrokenStreamOfALivingProcessIsNoEndUntilTheBeatRunsOut) {
  Watcher watcher(*stub_);
  const Beats beats(*stub_);
  v1::BeatRequest beat = GoodBeat();
  *beat.mutable_valid_until_time() = TimeUtil::SecondsToTimestamp(1'700'000'002);  // two seconds
  beat.set_pid(getpid());
  beat.set_pid_start_ticks(confab::ReadProcessStat(getpid())->start_ticks);
  ASSERT_TRUE(beats.Send(beat));
  ASSERT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_SERVING));
  beats.Break();
  // What beats on another stream meanwhile has nothing to end.
  EXPECT_TRUE(Refusal(GoodBeat(4001)).ok());
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4001", ::radix::registry::v1::STATUS_DEAD));
  EXPECT_TRUE(watcher.Has("127.0.0.1:4000", ::radix::registry::v1::STATUS_SERVING));
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_DEAD));
}

TEST_F(HeartbeaterServiceTest, AMissedBeatKills) {
  Watcher watcher(*stub_);
  const Beats beats(*stub_);
  v1::BeatRequest beat = GoodBeat();
  *beat.mutable_valid_until_time() = TimeUtil::SecondsToTimestamp(1'700'000'001);
  ASSERT_TRUE(beats.Send(beat));
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_SERVING));
  EXPECT_TRUE(watcher.Sees("127.0.0.1:4000", ::radix::registry::v1::STATUS_DEAD));
  beats.Break();
}

}  // namespace
}  // namespace radix::heartbeater
