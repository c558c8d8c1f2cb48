// Real doors: what picket says on its stream, and what somebody gets who comes through one.

#include "services/reeve/doors_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/call.h"
#include "clients/cpp/client_stream.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "radix/trust/v1/door.grpc.pb.h"
#include "services/confab/dial.h"
#include "services/confab/plugin_user.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"
#include "services/reeve/door_service.h"
#include "services/trust/trust_service.h"
#include "tests/wait.h"

namespace radix::reeve {
namespace {

namespace fs = std::filesystem;
using heartbeater::v1::BeatRequest;
using heartbeater::v1::BeatResponse;
using heartbeater::v1::HeartbeaterService;
using testing::HasSubstr;
using testing::StartsWith;
using trust::v1::DoorService;
using trust::v1::HoldDoorsRequest;
using trust::v1::HoldDoorsResponse;

// Takes every beat, but ends the stream of whoever says to be draining.
class FakeHeartbeater final : public HeartbeaterService::CallbackService {
 private:
  using Stream = confab::ServerBidi<BeatRequest, BeatResponse>;

  grpc::ServerBidiReactor<BeatRequest, BeatResponse>* Beat(grpc::CallbackServerContext*) override {
    auto stream = Stream::Create(16);
    stream->Begin({.on_message =
                       [stream](const BeatRequest& beat) {
                         BeatResponse answer;
                         answer.set_revision(beat.pid());
                         stream->Send(answer);
                         if (beat.status() != registry::v1::STATUS_DRAINING) return;
                         stream->End({grpc::StatusCode::DATA_LOSS, "the heartbeater's own words"});
                       },
                   .on_half_close = nullptr,
                   .on_done = nullptr});
    return stream.get();
  }
};

// A node's own reeve, of which a door shows a part.
class FakeReeve final : public WatchedReeve {
 private:
  grpc::ServerWriteReactor<v1::WatchResponse>* WatchHolding(grpc::CallbackServerContext*,
                                                            const v1::WatchRequest*,
                                                            std::shared_ptr<void> held) override {
    auto stream = registry::PulledStream<v1::WatchResponse>::Create();
    stream->Begin([](v1::WatchResponse&) { return false; }, [stream, held = std::move(held)] {});
    return stream.get();
  }
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context,
                                     const v1::GetStateRequest*,
                                     v1::GetStateResponse* response) override {
    response->set_epoch(7);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// A stream of a test's, and all that came.
template <typename Request, typename Response>
class Told {
 public:
  template <typename Start>
  explicit Told(Start start) {
    stream_ = ClientBidi<Request, Response>::Create(64);
    keep_ = start(*stream_);
    stream_->Begin({.on_message =
                        [state = state_](const Response& response) {
                          const std::lock_guard lock(state->mutex);
                          state->responses.push_back(response);
                        },
                    .on_end =
                        [state = state_](const grpc::Status& status) {
                          const std::lock_guard lock(state->mutex);
                          state->end = status;
                        }});
  }
  ~Told() {
    stream_->Cancel();
    AwaitEnd();
  }

  void Say(Request request) { stream_->Send(std::move(request)); }
  std::vector<Response> responses() const {
    const std::lock_guard lock(state_->mutex);
    return state_->responses;
  }
  std::optional<grpc::Status> end() const {
    const std::lock_guard lock(state_->mutex);
    return state_->end;
  }
  grpc::Status AwaitEnd() {
    if (!Eventually([this] { return end().has_value(); })) return {};
    return *end();
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<Response> responses;
    std::optional<grpc::Status> end;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::shared_ptr<ClientBidi<Request, Response>> stream_;
  std::shared_ptr<void> keep_;
};

using Holder = Told<HoldDoorsRequest, HoldDoorsResponse>;
using Beats = Told<BeatRequest, BeatResponse>;

class DoorsTest : public testing::Test {
 protected:
  DoorsTest() {
    std::string pattern = testing::TempDir() + "/doors-XXXXXX";
    node_ = {
        .name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = mkdtemp(pattern.data())};
    heartbeater_server_ =
        *confab::Server::Start(node_, {.socket = "heartbeater"}, {confab::Hosted(heartbeater_)});
    StartReeve();
  }
  ~DoorsTest() override {
    EndReeve();
    heartbeater_server_.reset();
    fs::remove_all(node_.state);
  }

  void StartReeve() {
    doors_ = std::make_unique<Doors>(
        node_, Doors::Behind{.reeve = reeve_, .pairing = pairing_, .rules = trust_.current_rules()},
        node_.state / "run");
    service_ = std::make_unique<DoorServiceImpl>(*doors_);
    server_ = *confab::Server::Start(node_, {.socket = "reeve"}, {confab::Hosted(*service_)});
  }
  void EndReeve() {
    service_->EndStreams();
    doors_->EndStreams();
    server_.reset();
    service_.reset();
    doors_.reset();
  }

  std::unique_ptr<Holder> Hold() {
    return std::make_unique<Holder>([this](auto& stream) {
      std::shared_ptr<DoorService::Stub> stub =
          DoorService::NewStub(confab::DialLocal(node_, "reeve"));
      stub->async()->HoldDoors(&stream.context(), &stream);
      return stub;
    });
  }

  static HoldDoorsRequest SetOf(std::int64_t number, const std::vector<std::string>& services,
                                std::uint32_t uid = 0) {
    HoldDoorsRequest set;
    set.set_number(number);
    for (const std::string& service : services) {
      trust::v1::Door& door = *set.add_doors();
      door.set_id(service + ".1.0");
      door.set_horde("default");
      door.set_service(service);
      door.set_api(service + "1");
      door.set_inst(service + "1_0");
      door.set_uid(uid);
    }
    return set;
  }

  // The last answer of all to that set, once all of its doors are open.
  static HoldDoorsResponse AwaitOpen(const Holder& holder, std::int64_t number) {
    HoldDoorsResponse last;
    EXPECT_TRUE(Eventually([&] {
      const auto responses = holder.responses();
      if (responses.empty() || responses.back().number() != number) return false;
      last = responses.back();
      return std::ranges::all_of(last.doors(),
                                 [](const auto& door) { return !door.folder().empty(); });
    })) << last.ShortDebugString();
    return last;
  }

  static confab::Node Behind(const std::string& folder) {
    return {.name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = folder};
  }
  static std::unique_ptr<Beats> BeatAt(const std::string& folder) {
    return std::make_unique<Beats>([&](auto& stream) {
      std::shared_ptr<HeartbeaterService::Stub> stub =
          HeartbeaterService::NewStub(confab::DialLocal(Behind(folder), "heartbeater"));
      stub->async()->Beat(&stream.context(), &stream);
      return stub;
    });
  }
  static BeatRequest BeatOf(const std::string& service, int number) {
    BeatRequest beat;
    beat.set_net_id("127.0.0.1:80");
    beat.set_api(service + "1");
    beat.set_inst(service + "1_0");
    beat.set_pid(number);
    beat.set_status(registry::v1::STATUS_SERVING);
    return beat;
  }
  static std::int64_t EpochAt(const std::string& folder) {
    v1::GetStateResponse response;
    const auto stub = v1::ReeveService::NewStub(confab::DialLocal(Behind(folder), "reeve"));
    Call(*stub->async(), &v1::ReeveService::Stub::async::GetState, v1::GetStateRequest(), response);
    return response.epoch();
  }

  confab::Node node_;
  FakeHeartbeater heartbeater_;
  std::unique_ptr<confab::Server> heartbeater_server_;
  FakeReeve reeve_;
  trust::TrustServiceImpl trust_;
  trust::PairingServiceImpl pairing_{node_, std::uint16_t{7117}, 1};
  std::unique_ptr<Doors> doors_;
  std::unique_ptr<DoorServiceImpl> service_;
  std::unique_ptr<confab::Server> server_;
};

TEST_F(DoorsTest, ADoorIsOpenedAndClosedAsPicketSays) {
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a", "b"}));
  const auto opened = AwaitOpen(*holder, 1);
  ASSERT_EQ(opened.doors_size(), 2);
  const std::string folder = opened.doors(0).folder();
  EXPECT_THAT(folder, StartsWith((node_.state / "doors").string()));
  EXPECT_EQ(EpochAt(folder), 7);
  holder->Say(SetOf(2, {"b"}));
  EXPECT_TRUE(Eventually([&] { return !fs::exists(folder); }));
  EXPECT_EQ(EpochAt(opened.doors(1).folder()), 7);
}

// A node may have 512 plugins, and reeve has its limit of memory, of which each stack takes a part.
TEST_F(DoorsTest, ADoorTakesNoThread) {
  const auto threads = [] {
    const fs::directory_iterator tasks("/proc/self/task");
    return std::distance(fs::begin(tasks), fs::end(tasks));
  };
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  AwaitOpen(*holder, 1);
  const auto before = threads();
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("a" + std::to_string(i));
  holder->Say(SetOf(2, many));
  AwaitOpen(*holder, 2);
  EXPECT_LT(threads(), before + 20);
}

TEST_F(DoorsTest, DoorsOutliveTheStreamUntilAnotherLeavesThemOut) {
  auto holder = Hold();
  holder->Say(SetOf(1, {"a", "b"}));
  const auto opened = AwaitOpen(*holder, 1);
  const auto beats = BeatAt(opened.doors(1).folder());
  beats->Say(BeatOf("b", 1));
  ASSERT_TRUE(Eventually([&] { return beats->responses().size() == 1; }));
  holder.reset();
  EXPECT_EQ(EpochAt(opened.doors(0).folder()), 7);
  holder = Hold();
  holder->Say(SetOf(1, {"b"}));
  AwaitOpen(*holder, 1);
  EXPECT_TRUE(Eventually([&] { return !fs::exists(opened.doors(0).folder()); }));
  beats->Say(BeatOf("b", 2));
  EXPECT_TRUE(Eventually([&] { return beats->responses().size() == 2; })) << "it went on";
}

TEST_F(DoorsTest, ANewerStreamEndsTheOneBefore) {
  const auto older = Hold();
  older->Say(SetOf(1, {"a"}));
  AwaitOpen(*older, 1);
  const auto newer = Hold();
  newer->Say(SetOf(1, {"a"}));
  AwaitOpen(*newer, 1);
  EXPECT_EQ(older->AwaitEnd().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(DoorsTest, AReeveThatIsStartedAgainSweepsWhatIsNotWantedAndOpensTheRest) {
  auto holder = Hold();
  holder->Say(SetOf(1, {"a", "b"}));
  const auto opened = AwaitOpen(*holder, 1);
  holder.reset();
  EndReeve();
  EXPECT_FALSE(fs::exists(opened.doors(0).folder()));
  fs::create_directories(opened.doors(0).folder() + "/as of one that was killed");
  StartReeve();
  holder = Hold();
  holder->Say(SetOf(1, {"b"}));
  EXPECT_EQ(AwaitOpen(*holder, 1).doors(0).folder(), opened.doors(1).folder());
  EXPECT_FALSE(fs::exists(opened.doors(0).folder()));
  EXPECT_EQ(EpochAt(opened.doors(1).folder()), 7);
}

TEST_F(DoorsTest, BeatsAreRelayedAndTheStatusComesBackAsItIs) {
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  const std::string folder = AwaitOpen(*holder, 1).doors(0).folder();
  const auto beats = BeatAt(folder);
  for (int i = 1; i <= 3; ++i) beats->Say(BeatOf("a", i));
  ASSERT_TRUE(Eventually([&] { return beats->responses().size() == 3; }));
  EXPECT_EQ(beats->responses()[2].revision(), 3);
  BeatRequest last = BeatOf("a", 4);
  last.set_status(registry::v1::STATUS_DRAINING);
  beats->Say(last);
  const grpc::Status end = beats->AwaitEnd();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(end.error_message(), "the heartbeater's own words");
}

TEST_F(DoorsTest, ABeatOfSomethingElseIsRefusedAndPicketIsToldOfIt) {
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  const std::string folder = AwaitOpen(*holder, 1).doors(0).folder();
  BeatRequest wrong = BeatOf("a", 1);
  wrong.set_inst("a1_9");
  const auto beats = BeatAt(folder);
  beats->Say(wrong);
  EXPECT_EQ(beats->AwaitEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(beats->AwaitEnd().error_message(), HasSubstr("inst: says 'a1_9', but"));
  EXPECT_TRUE(beats->responses().empty());
  const auto said = [&] { return holder->responses().back().doors(0).refused().inst(); };
  EXPECT_TRUE(Eventually([&] { return said() == "a1_9"; }));
  const auto right = BeatAt(folder);
  right->Say(BeatOf("a", 1));
  EXPECT_TRUE(Eventually([&] { return said().empty(); }));
}

TEST_F(DoorsTest, WhoMayNotServeIsRefusedFromTheNextBeatOn) {
  ASSERT_TRUE(
      trust_.current_rules().SetRules(*trust::Rules::Parse("serve default/a default/a1\n")));
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  const auto beats = BeatAt(AwaitOpen(*holder, 1).doors(0).folder());
  beats->Say(BeatOf("a", 1));
  ASSERT_TRUE(Eventually([&] { return beats->responses().size() == 1; }));
  ASSERT_TRUE(trust_.current_rules().SetRules(*trust::Rules::Parse("# none\n")));
  beats->Say(BeatOf("a", 2));
  EXPECT_EQ(beats->AwaitEnd().error_message(),
            "default/a may not serve default/a1: no rule matches");
  EXPECT_EQ(beats->responses().size(), 1);
}

TEST_F(DoorsTest, WhoseNodeIsExpelledFromTheHordeIsRefusedFromTheNextBeatOn) {
  pairing_.SetRules(std::make_shared<const trust::Rules>());
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  const auto beats = BeatAt(AwaitOpen(*holder, 1).doors(0).folder());
  beats->Say(BeatOf("a", 1));
  ASSERT_TRUE(Eventually([&] { return beats->responses().size() == 1; }));
  registry::Horde all{.every_node = true, .named = {}};
  all.Set(1, "n1", registry::Standing::kOutside);
  registry::Hordes hordes;
  hordes.Put("default", all);
  pairing_.SetHordes(hordes);
  beats->Say(BeatOf("a", 2));
  EXPECT_EQ(beats->AwaitEnd().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(beats->AwaitEnd().error_message(), "this node is not admitted to the horde 'default'");
}

TEST_F(DoorsTest, WithoutAHeartbeaterABeatIsUnavailable) {
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  const std::string folder = AwaitOpen(*holder, 1).doors(0).folder();
  heartbeater_server_.reset();
  const auto beats = BeatAt(folder);
  beats->Say(BeatOf("a", 1));
  EXPECT_EQ(beats->AwaitEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(DoorsTest, ADoorThatCannotBeOpenedSaysWhyAndIsOpenedWhenItCanBe) {
  std::ofstream(node_.state / "doors") << "in the way";
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}));
  ASSERT_TRUE(Eventually([&] {
    const auto responses = holder->responses();
    return !responses.empty() && !responses.back().doors(0).error().empty();
  }));
  EXPECT_THAT(holder->responses().back().doors(0).error(), HasSubstr("/doors: must be a folder"));
  fs::remove(node_.state / "doors");
  AwaitOpen(*holder, 1);
}

TEST_F(DoorsTest, ASetThatMakesNoSenseEndsTheStreamAndNamesTheField) {
  const auto holder = Hold();
  HoldDoorsRequest set = SetOf(1, {"a"}, 1000);
  holder->Say(set);
  EXPECT_EQ(holder->AwaitEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(holder->AwaitEnd().error_message(), StartsWith("doors[0].uid: 1000 is not in"));
}

TEST_F(DoorsTest, OnlyItsOwnUserAndTheNodesMayPassTheDoorOfAUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give a folder to another group";
  const auto holder = Hold();
  holder->Say(SetOf(1, {"a"}, kPluginUserMin));
  const fs::path folder = AwaitOpen(*holder, 1).doors(0).folder();
  EXPECT_THAT(folder.string(), StartsWith((node_.state / "run").string()));
  struct stat info {};
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_EQ(info.st_gid, kPluginUserMin);
  EXPECT_EQ(info.st_mode & 0777U, 0710U) << "it may change nothing there, as long as root does";
  ASSERT_EQ(stat((folder / "heartbeater.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
  EXPECT_EQ(info.st_gid, kPluginUserMin);
}

}  // namespace
}  // namespace radix::reeve
