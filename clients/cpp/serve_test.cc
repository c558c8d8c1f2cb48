#include "clients/cpp/serve.h"

#include <gmock/gmock.h>

#include <future>

#include "clients/cpp/call.h"
#include "clients/cpp/fake_galumph.h"
#include "clients/cpp/fake_node.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"

namespace radix {
namespace {

using galumph::v2::Galumph;

class ServeTest : public testing::Test {
 protected:
  std::unique_ptr<Serving> ServeAs(const std::string& inst, ServeOptions options = {}) {
    options.api = "galumph2";
    options.inst = inst;
    auto serving = Serve(node_.network(), std::move(options), service_);
    EXPECT_TRUE(serving.ok()) << serving.status();
    return *std::move(serving);
  }

  // The exit status with which it ends by itself.
  static int Ended(Serving& serving) {
    return Await(std::async(std::launch::async, [&] { return serving.Wait(); }),
                 "the end of a drain");
  }

  FakeNode node_;
  FakeGalumph service_{"galumph2_3"};
};

TEST_F(ServeTest, NeedsAnApiAndAnInst) {
  EXPECT_EQ(Serve(node_.network(), {.api = "galumph2"}, service_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ServeTest, RegistersAndWithdraws) {
  const auto serving = ServeAs("galumph2_3", {.drain_quiet = 1ms});
  EXPECT_TRUE(
      Eventually([&] { return node_.statuses()["galumph2_3"] == registry::v1::STATUS_SERVING; }));
  serving->Stop();
  EXPECT_EQ(Ended(*serving), 0);
  EXPECT_TRUE(Eventually([&] { return node_.statuses().empty(); }));
}

// As flock does where it is alone: no port for strangers, and nobody to tell.
TEST_F(ServeTest, CanServeOnAUnixSocketOnlyAndUnregistered) {
  const auto registered = ServeAs("galumph2_3", {.drain_quiet = 1ms});
  const auto serving =
      ServeAs("galumph2_4",
              {.port = std::nullopt, .socket = "galumph", .registers = false, .drain_quiet = 1ms});
  EXPECT_EQ(serving->net_id(), "");
  const auto stub = Galumph::NewStub(confab::DialLocal(node_.network().node, "galumph"));
  galumph::v2::RegisterResponse response;
  EXPECT_TRUE(Call(*stub->async(), &Galumph::Stub::async::Register, {}, response).ok());
  ASSERT_TRUE(Eventually([&] { return node_.statuses().contains("galumph2_3"); }));
  EXPECT_FALSE(node_.statuses().contains("galumph2_4"));
  for (Serving* each : {serving.get(), registered.get()}) {
    each->Stop();
    EXPECT_EQ(Ended(*each), 0);
  }
}

TEST_F(ServeTest, BeatsSayWhenTheyWereMadeAndAreValidForThreeSeconds) {
  const auto nanoseconds = [](const google::protobuf::Timestamp& time) {
    return time.seconds() * 1'000'000'000 + time.nanos();
  };
  const std::int64_t before = confab::WallNanoseconds();
  const auto serving = ServeAs("galumph2_3");
  ASSERT_TRUE(Eventually([&] { return node_.last_beat().has_issue_time(); }));
  const heartbeater::v1::BeatRequest beat = node_.last_beat();
  EXPECT_GE(nanoseconds(beat.issue_time()), before);
  EXPECT_LE(nanoseconds(beat.issue_time()), confab::WallNanoseconds());
  EXPECT_EQ(nanoseconds(beat.valid_until_time()) - nanoseconds(beat.issue_time()), 3'000'000'000);
}

TEST_F(ServeTest, BeatsSayToWhichFlockItBelongs) {
  const auto serving = ServeAs("galumph2_3");
  ASSERT_TRUE(Eventually([&] { return node_.last_beat().has_issue_time(); }));
  EXPECT_EQ(node_.last_beat().flock_id(), "lab");
}

TEST_F(ServeTest, SaysThatItDrainsAndServesUntilItsCallersHaveLeft) {
  const auto serving = ServeAs("galumph2_3", {.drain_quiet = 100ms, .drain_limit = 60s});
  auto stub = Galumph::NewStub(node_.DialGalumph(serving->net_id()));
  galumph::v2::RegisterResponse reply;
  ASSERT_TRUE(Call(*stub->async(), &Galumph::Stub::async::Register, {}, reply).ok());
  service_.Hold();
  auto late = std::async(std::launch::async, [&] {
    galumph::v2::RegisterResponse held;
    return Call(*stub->async(), &Galumph::Stub::async::Register, {}, held, {.timeout = 60s}).ok();
  });
  ASSERT_TRUE(Eventually([&] { return service_.calls() == 2; }));
  serving->Stop();
  auto ended = std::async(std::launch::async, [&] { return serving->Wait(); });
  EXPECT_TRUE(
      Eventually([&] { return node_.statuses()["galumph2_3"] == registry::v1::STATUS_DRAINING; }));
  EXPECT_EQ(ended.wait_for(200ms), std::future_status::timeout);
  service_.Release();
  EXPECT_TRUE(Await(std::move(late), "the answer to a call that was held"));
  EXPECT_EQ(Await(std::move(ended), "the end of a drain"), 0);
}

TEST_F(ServeTest, RegistersAgainAfterTheHeartbeaterCameBack) {
  const auto serving = ServeAs("galumph2_3", {.drain_quiet = 1ms});
  const auto serves = [&] {
    return node_.statuses()["galumph2_3"] == registry::v1::STATUS_SERVING;
  };
  ASSERT_TRUE(Eventually(serves));
  node_.StopHeartbeater();
  ASSERT_TRUE(Eventually([&] { return node_.statuses().empty(); }));
  node_.StartHeartbeater();
  EXPECT_TRUE(Eventually(serves));
}

TEST_F(ServeTest, CallsOnDrainAndGivesUpAtTheLimit) {
  std::atomic<bool> told = false;
  const auto serving = ServeAs(
      "galumph2_3", {.drain_quiet = 1ms, .drain_limit = 50ms, .on_drain = [&] { told = true; }});
  auto stub = Galumph::NewStub(node_.DialGalumph(serving->net_id()));
  service_.Hold();
  auto cut = std::async(std::launch::async, [&] {
    galumph::v2::RegisterResponse held;
    return Call(*stub->async(), &Galumph::Stub::async::Register, {}, held, {.timeout = 60s});
  });
  ASSERT_TRUE(Eventually([&] { return service_.calls() == 1; }));
  serving->Stop();
  EXPECT_EQ(Ended(*serving), 0);
  EXPECT_TRUE(told);
  EXPECT_FALSE(Await(std::move(cut), "the end of a call that was cut").ok());
}

}  // namespace
}  // namespace radix
