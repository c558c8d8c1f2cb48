// The registry's services together: beats go in at one node, lookups come out at another.

#include "services/registry/registry_chain_test.h"

#include <gmock/gmock.h>

#include <atomic>

#include "services/healthminder/healthminder_service.h"

namespace radix::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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
  Await(ended.get_future(), "the end of a watch");
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
  StartSteward(2, 5, /*deaf=*/{3});
  ASSERT_TRUE(Eventually([&] { return At(2).State().epoch() == 5 && At(1).State().epoch() == 5; }));
  EXPECT_THAT(At(2).Found(), ElementsAre("n3/ntp2_3"));  // of which this steward has not heard
  Lead(2, 5);
  ASSERT_TRUE(Eventually([&] { return AllConnected(5) && OneRegistry(); }));
  auto stub = steward::v1::StewardService::NewStub(
      *confab::Dial(confab::Node{}, Endpoint{Address(2), steward_port_}.ToString(), "steward"));
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
  Await(ended.get_future(), "the end of a watch");
}

TEST_F(RegistryChainTest, ADeadNodesEntriesVanishEverywhere) {
  StartSteward(1, 1);
  At(3).Beat("ntp2_3", 4000);
  ASSERT_TRUE(Eventually([&] { return At(2).Found().size() == 1; }));
  Lead(1, 1, {3});
  EXPECT_TRUE(Eventually([&] { return At(2).Found().empty() && At(1).Found().empty(); }));
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

}  // namespace
}  // namespace radix::registry
