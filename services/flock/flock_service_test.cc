#include "services/flock/flock_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "clients/cpp/call.h"
#include "clients/cpp/client_stream.h"
#include "services/confab/dial.h"
#include "services/confab/serve.h"
#include "services/flock/loopback_bloc_test.h"

namespace radix::flock {
namespace {

// The gRPC face in front of a driver.
class FlockServiceTest : public LoopbackBlocTest {
 protected:
  void Serve(TestNode& node) {
    node.driver = *FlockDriver::Create(node.config, node.node, node.key_file);
    std::filesystem::permissions(node.node.state, std::filesystem::perms::owner_all);
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
    LoopbackBlocTest::TearDown();
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

TEST_F(FlockServiceTest, SaysWhoHasTheKeysAndDoesAPhaseOnce) {
  Serve(Add(1));
  Start(Add(2));
  v1::GetKeysResponse keys;
  const auto acknowledged = [&] {
    return Call(*stub_->async(), &v1::FlockService::Stub::async::GetKeys, v1::GetKeysRequest(),
                keys, {.timeout = 10s})
               .ok() &&
           keys.members_size() == 2 && keys.secondary().acknowledged_count() == 2;
  };
  ASSERT_TRUE(Eventually(acknowledged));
  EXPECT_EQ(keys.secondary().phase(), v1::ROTATION_PHASE_IDLE);
  EXPECT_TRUE(keys.members(0).acknowledged() && keys.members(1).acknowledged());
  EXPECT_EQ(keys.transient().size(), 8U);

  v1::RotateSecondaryKeyRequest request;
  v1::RotateSecondaryKeyResponse done;
  const auto rotate = [&](v1::RotationStep step, const std::string& from) {
    request.set_step(step);
    request.set_from(from);
    return Call(*stub_->async(), &v1::FlockService::Stub::async::RotateSecondaryKey, request, done,
                {.timeout = 10s});
  };
  const std::string from = keys.secondary().current();
  EXPECT_EQ(rotate(v1::ROTATION_STEP_INSTALL, "none").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(rotate(v1::ROTATION_STEP_USE, from).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(Eventually([&] { return rotate(v1::ROTATION_STEP_INSTALL, from).ok(); }));
  const std::string next = done.secondary().next();
  EXPECT_EQ(done.secondary().phase(), v1::ROTATION_PHASE_INSTALLED);
  ASSERT_TRUE(Eventually([&] { return rotate(v1::ROTATION_STEP_INSTALL, from).ok(); }));
  EXPECT_EQ(done.secondary().next(), next);
  ASSERT_TRUE(Eventually(acknowledged));
  EXPECT_EQ(keys.secondary().current(), from);
}

TEST_F(FlockServiceTest, QuestionsToALeaderThatThereIsNotAreBoundedAndEndWithTheService) {
  Serve(Add(1));  // alone, it is no quorum
  struct Question {
    grpc::ClientContext context;
    v1::GetKeysResponse response;
    std::atomic<int> code = -1;
  };
  const v1::GetKeysRequest request;
  std::vector<Question> questions(17);
  for (Question& question : questions) {
    stub_->async()->GetKeys(
        &question.context, &request, &question.response,
        [&question](const grpc::Status& status) { question.code = status.error_code(); });
  }
  const auto ended = [&](grpc::StatusCode code) {
    return std::ranges::count_if(questions, [code](const Question& q) { return q.code == code; });
  };
  // One too many; the others are under way.
  ASSERT_TRUE(Eventually([&] { return ended(grpc::StatusCode::RESOURCE_EXHAUSTED) == 1; }));
  service_->EndStreams();
  EXPECT_TRUE(server_->Shutdown(1s)) << "none holds it up";
  EXPECT_TRUE(Eventually([&] { return ended(grpc::StatusCode::UNAVAILABLE) == 16; }));
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
  EXPECT_EQ(joined->subject_node(), "n2");
  EXPECT_FALSE(joined->detail().empty());
  EXPECT_EQ(joined->boot().size(), 16U);
  EXPECT_GT(joined->event_time().seconds(), 1'600'000'000);

  v1::ListEventsRequest request;
  request.set_limit(1);
  ASSERT_TRUE(
      Call(*stub_->async(), &v1::FlockService::Stub::async::ListEvents, request, events).ok());
  EXPECT_EQ(events.events_size(), 1);
  for (const int limit : {-1, FlockServiceImpl::kEventsMost + 1}) {
    request.set_limit(limit);
    const auto status =
        Call(*stub_->async(), &v1::FlockService::Stub::async::ListEvents, request, events);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message().rfind("limit: ", 0), 0U) << status.error_message();
  }
}

TEST_F(FlockServiceTest, CountsWhatItDropped) {
  Serve(Add(1));
  auto stranger = *confab::UdpSocket::Open({Address(2), port_}, kDatagramSizeMax);
  const std::vector<std::uint8_t> noise(100, 0x55);
  stranger.Send({Address(1), port_}, noise);
  v1::GetCountersResponse counters;
  ASSERT_TRUE(Eventually([&] {
    const auto status = Call(*stub_->async(), &v1::FlockService::Stub::async::GetCounters,
                             v1::GetCountersRequest(), counters);
    return status.ok() && counters.received_count() == 1;
  })) << counters.DebugString();
  EXPECT_EQ(counters.malformed_count(), 1);
  EXPECT_EQ(counters.accepted_count(), 0);
}

TEST_F(FlockServiceTest, TellsTheStoryOfANodeThatDied) {
  Serve(Add(1));
  TestNode& second = Start(Add(2));
  const auto explain = [&](const std::string& node) {
    v1::ExplainNodeRequest request;
    request.set_node(node);
    v1::ExplainNodeResponse response;
    const auto status =
        Call(*stub_->async(), &v1::FlockService::Stub::async::ExplainNode, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  };
  ASSERT_TRUE(Eventually([&] { return explain("n2").verdict() == "member"; }));
  second.driver->Abandon();
  ASSERT_TRUE(Eventually([&] { return explain("n2").verdict() == "dead"; }));
  const auto story = explain("n2");
  EXPECT_EQ(story.address(), Address(2).ToString());
  EXPECT_EQ(story.state(), v1::MEMBER_STATE_DEAD);
  const auto died = std::find_if(story.events().begin(), story.events().end(),
                                 [](const v1::Event& event) { return event.kind() == "died"; });
  ASSERT_NE(died, story.events().end());
  ASSERT_EQ(died->accusers_size(), 1);
  EXPECT_EQ(died->accusers(0).node(), "n1");
  EXPECT_EQ(died->evidence(), "suspicion-expired");

  EXPECT_EQ(explain(Address(3).ToString()).verdict(), "never-heard");
  EXPECT_EQ(explain("n3").verdict(), "unknown-name");
  v1::ExplainNodeRequest request;
  request.set_node("?");
  v1::ExplainNodeResponse response;
  EXPECT_EQ(Call(*stub_->async(), &v1::FlockService::Stub::async::ExplainNode, request, response)
                .error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

// What a watcher of events saw.
struct EventWatcher {
  std::mutex mutex;
  std::vector<v1::Event> seen;
  std::optional<grpc::Status> end;
};

std::shared_ptr<EventWatcher> WatchEvents(v1::FlockService::Stub& stub, std::int64_t after) {
  auto watcher = std::make_shared<EventWatcher>();
  auto stream = ClientStream<v1::WatchEventsResponse>::Create();
  v1::WatchEventsRequest request;
  request.set_after_sequence(after);
  stub.async()->WatchEvents(&stream->context(), &request, stream.get());
  stream->Begin({.on_message =
                     [watcher](const v1::WatchEventsResponse& response) {
                       const std::lock_guard lock(watcher->mutex);
                       watcher->seen.insert(watcher->seen.end(), response.events().begin(),
                                            response.events().end());
                     },
                 .on_end =
                     [watcher](const grpc::Status& status) {
                       const std::lock_guard lock(watcher->mutex);
                       watcher->end = status;
                     }});
  return watcher;
}

TEST_F(FlockServiceTest, WatchersOfEventsGetWhatWasKeptAndThenEachNewOne) {
  Serve(Add(1));
  const auto first = WatchEvents(*stub_, 0);
  const auto count = [](const std::shared_ptr<EventWatcher>& watcher, const std::string& kind) {
    const std::lock_guard lock(watcher->mutex);
    return std::count_if(watcher->seen.begin(), watcher->seen.end(),
                         [&](const v1::Event& event) { return event.kind() == kind; });
  };
  Start(Add(2));
  ASSERT_TRUE(Eventually([&] { return count(first, "joined") == 1; }));
  const auto second = WatchEvents(*stub_, 0);
  const auto only_new = WatchEvents(*stub_, -1);
  const auto of_earlier_process = WatchEvents(*stub_, 1'000'000'000);
  ASSERT_TRUE(Eventually([&] { return count(second, "joined") == 1; }));
  ASSERT_TRUE(Eventually([&] { return count(of_earlier_process, "joined") == 1; }));
  Start(Add(3));
  ASSERT_TRUE(Eventually([&] { return count(only_new, "joined") >= 1; }));
  ASSERT_TRUE(Eventually([&] { return count(first, "joined") == 2; }));
  {
    const std::lock_guard lock(first->mutex);
    for (std::size_t i = 0; i < first->seen.size(); ++i) {
      EXPECT_EQ(first->seen[i].sequence(), static_cast<std::int64_t>(i) + 1);
    }
    const std::lock_guard new_lock(only_new->mutex);
    for (const v1::Event& event : only_new->seen) {
      EXPECT_FALSE(event.kind() == "joined" && event.subject() == Address(2).ToString());
    }
  }
  service_->EndStreams();
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(first->mutex);
    return first->end.has_value();
  }));
  EXPECT_EQ(first->end->error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(FlockServiceTest, RefusesMoreWatchersOfEventsThanItCanServe) {
  Serve(Add(1));
  std::vector<std::shared_ptr<EventWatcher>> watchers;
  for (std::size_t i = 0; i <= EventWatchService::kWatchersMax; ++i) {
    watchers.push_back(WatchEvents(*stub_, 0));
  }
  // Which one comes too late is the network's to say.
  ASSERT_TRUE(Eventually([&] {
    return std::any_of(watchers.begin(), watchers.end(), [](const auto& watcher) {
      const std::lock_guard lock(watcher->mutex);
      return watcher->end && watcher->end->error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    });
  }));
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
