#include "clients/cpp/connect.h"

#include <gmock/gmock.h>

#include <future>
#include <optional>

#include "clients/cpp/call.h"
#include "clients/cpp/fake_galumph.h"
#include "clients/cpp/fake_node.h"

namespace radix {
namespace {

using galumph::v2::Galumph;
using testing::HasSubstr;

confab::ListenOptions ListenAs(const std::string& inst, std::uint16_t port = 0) {
  return {.socket = "",
          .port = port,
          .horde = "default",
          .api = inst.substr(0, inst.find('_')),
          .inst = inst};
}

// One instance: a service and its server, on a port of its own.
struct Instance {
  explicit Instance(const FakeNode& node, const std::string& inst) : service(inst) {
    auto started =
        confab::Server::Start(node.network().node, ListenAs(inst), {confab::Hosted(service)});
    EXPECT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
  }
  ~Instance() {
    service.Release();
    if (server != nullptr) server->Shutdown(100ms);
  }
  std::string net_id() const { return server->net_id(); }

  FakeGalumph service;
  std::unique_ptr<confab::Server> server;
};

class ConnectTest : public testing::Test {
 protected:
  Connection<Galumph> ConnectTo(const Selector& selector, ConnectOptions options = {}) {
    return Connect<Galumph>(node_.network(), selector, std::move(options));
  }

  // The inst that answers a call, or the error.
  static std::string Ask(const Connection<Galumph>& galumph) {
    grpc::ClientContext context;
    galumph::v2::RegisterResponse reply;
    const grpc::Status status = galumph->Register(&context, {}, &reply);
    return status.ok() ? reply.inst() : status.error_message();
  }

  FakeNode node_;
};

TEST_F(ConnectTest, CallsTheGreatestInst) {
  const Instance three(node_, "galumph2_3");
  const Instance four(node_, "galumph2_4");
  node_.Put("galumph2_3", three.net_id());
  node_.Put("galumph2_4", four.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  EXPECT_EQ(Ask(galumph), "galumph2_4");
  EXPECT_EQ(galumph.bound().net_id, four.net_id());
}

TEST_F(ConnectTest, WaitsForTheFirstInstance) {
  const Instance three(node_, "galumph2_3");
  const auto galumph = ConnectTo({.api = "galumph2"}, {.wait = 20s});
  auto answer = std::async(std::launch::async, [&] { return Ask(galumph); });
  ASSERT_TRUE(Eventually([&] { return node_.watches() > 0; }));
  node_.Put("galumph2_3", three.net_id());
  EXPECT_EQ(Await(std::move(answer), "a call's answer"), "galumph2_3");
}

TEST_F(ConnectTest, SaysWhatIsMissingWhenThereIsNoInstance) {
  const auto galumph = ConnectTo({.api = "galumph2"}, {.wait = 10ms});
  grpc::ClientContext context;
  galumph::v2::RegisterResponse reply;
  const grpc::Status status = galumph->Register(&context, {}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(),
              HasSubstr("no live instance of api galumph2 in horde default"));
}

TEST_F(ConnectTest, FailsCallbackCallsToo) {
  const auto galumph = ConnectTo({.inst = "galumph2_3"}, {.wait = 0ms});
  galumph::v2::RegisterResponse reply;
  const grpc::Status status = Call(*galumph->async(), &Galumph::Stub::async::Register, {}, reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("no live instance of inst galumph2_3"));
}

TEST_F(ConnectTest, MovesToABetterInstAndTellsTheHook) {
  const Instance three(node_, "galumph2_3");
  const Instance four(node_, "galumph2_4");
  std::mutex mutex;
  std::vector<std::string> rebound;
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"}, {.on_rebound = [&](const Bound& bound) {
                                   const std::lock_guard lock(mutex);
                                   rebound.push_back(bound.inst);
                                 }});
  EXPECT_EQ(Ask(galumph), "galumph2_3");
  EXPECT_EQ(galumph.rebinds(), 0u);
  node_.Put("galumph2_4", four.net_id());
  EXPECT_TRUE(Eventually([&] { return Ask(galumph) == "galumph2_4"; }));
  EXPECT_EQ(galumph.rebinds(), 1u);
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return rebound == std::vector<std::string>{"galumph2_3", "galumph2_4"};
  }));
}

TEST_F(ConnectTest, StaysWithTheInstItWasAskedFor) {
  const Instance three(node_, "galumph2_3");
  const Instance four(node_, "galumph2_4");
  node_.Put("galumph2_3", three.net_id());
  node_.Put("galumph2_4", four.net_id());
  const auto galumph = ConnectTo({.inst = "galumph2_3"});
  EXPECT_EQ(Ask(galumph), "galumph2_3");
}

TEST_F(ConnectTest, LetsACallFinishWhereItStarted) {
  Instance three(node_, "galumph2_3");
  const Instance four(node_, "galumph2_4");
  three.service.Hold();
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  auto answer = std::async(std::launch::async, [&] { return Ask(galumph); });
  ASSERT_TRUE(Eventually([&] { return three.service.calls() == 1; }));
  node_.Put("galumph2_4", four.net_id());
  ASSERT_TRUE(Eventually([&] { return galumph.bound().inst == "galumph2_4"; }));
  EXPECT_EQ(Ask(galumph), "galumph2_4");
  three.service.Release();
  EXPECT_EQ(Await(std::move(answer), "a call's answer"), "galumph2_3");
}

TEST_F(ConnectTest, LeavesAnInstanceThatSaysItDrainsWithoutHearingItFromReeve) {
  Instance four(node_, "galumph2_4");
  const Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  node_.Put("galumph2_4", four.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  EXPECT_EQ(Ask(galumph), "galumph2_4");
  four.server->SetServing(false);
  EXPECT_TRUE(Eventually([&] { return Ask(galumph) == "galumph2_3"; }));
}

TEST_F(ConnectTest, FallsBackWhenTheConnectionBreaks) {
  auto four = std::make_unique<Instance>(node_, "galumph2_4");
  const Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  node_.Put("galumph2_4", four->net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  EXPECT_EQ(Ask(galumph), "galumph2_4");
  four = nullptr;
  EXPECT_EQ(Ask(galumph), "galumph2_3") << "not even the first call after it may fail";
}

TEST_F(ConnectTest, ComesBackToAnInstanceThatWasAway) {
  auto three = std::make_unique<Instance>(node_, "galumph2_3");
  const auto endpoint = *Endpoint::Parse(three->net_id());
  node_.Put("galumph2_3", three->net_id());
  const auto galumph = ConnectTo({.api = "galumph2"}, {.wait = 0ms});
  ASSERT_TRUE(Eventually([&] { return Ask(galumph) == "galumph2_3"; }));
  three = nullptr;
  EXPECT_THAT(Ask(galumph), HasSubstr("no live instance"));
  FakeGalumph service("galumph2_3");
  auto again = confab::Server::Start(node_.network().node, ListenAs("galumph2_3", endpoint.port),
                                     {confab::Hosted(service)});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Eventually([&] { return Ask(galumph) == "galumph2_3"; }));
}

TEST_F(ConnectTest, KeepsItsInstanceWhileReeveIsAwayAndAfterItForgotEverything) {
  const Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  EXPECT_EQ(Ask(galumph), "galumph2_3");
  node_.StopReeve();
  EXPECT_EQ(Ask(galumph), "galumph2_3");
  node_.Put("galumph2_3", three.net_id(), registry::v1::STATUS_DEAD);
  node_.StartReeve();
  ASSERT_TRUE(Eventually([&] { return node_.watches() > 1; }));
  EXPECT_EQ(Ask(galumph), "galumph2_3");
  const Instance four(node_, "galumph2_4");
  node_.Put("galumph2_4", four.net_id());
  EXPECT_TRUE(Eventually([&] { return Ask(galumph) == "galumph2_4"; }));
}

TEST_F(ConnectTest, LooksAgainAfterRescan) {
  const auto galumph = ConnectTo({.api = "galumph2"}, {.rescan = 20ms});
  EXPECT_TRUE(Eventually([&] { return node_.watches() > 2; }));
}

TEST_F(ConnectTest, GivesCallsWithoutADeadlineTheDefaultOne) {
  Instance three(node_, "galumph2_3");
  three.service.Hold();
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"}, {.default_deadline = 50ms});
  grpc::ClientContext context;
  galumph::v2::RegisterResponse reply;
  const grpc::Status status = galumph->Register(&context, {}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
}

TEST_F(ConnectTest, LeavesALongerDeadlineAlone) {
  Instance three(node_, "galumph2_3");
  three.service.Hold();
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"}, {.default_deadline = 1ms});
  auto answer = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 60s);
    galumph::v2::RegisterResponse reply;
    return galumph->Register(&context, {}, &reply).error_code();
  });
  ASSERT_TRUE(Eventually([&] { return three.service.calls() == 1; }));
  // Calls with the default deadline end meanwhile.
  EXPECT_THAT(Ask(galumph), HasSubstr("default deadline"));
  three.service.Release();
  EXPECT_EQ(Await(std::move(answer), "a call's answer"), grpc::StatusCode::OK);
}

TEST_F(ConnectTest, LeavesCallsInFlightAloneWhenItIsDestroyed) {
  Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  const Network network = node_.network();  // it outlives the connection
  std::optional<Connection<Galumph>> galumph(Connect<Galumph>(network, {.api = "galumph2"}));
  ASSERT_EQ(Ask(*galumph), "galumph2_3");
  three.service.Hold();
  grpc::ClientContext context;
  const galumph::v2::RegisterRequest request;
  galumph::v2::RegisterResponse reply;
  std::promise<grpc::Status> done;
  (*galumph)->async()->Register(&context, &request, &reply,
                                [&](grpc::Status status) { done.set_value(status); });
  ASSERT_TRUE(Eventually([&] { return three.service.calls() == 2; }));
  galumph.reset();
  three.service.Release();
  EXPECT_TRUE(Await(done.get_future(), "the end of a call").ok());
}

TEST_F(ConnectTest, TakesAnotherKeyWithoutLosingACall) {
  Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  const auto galumph = ConnectTo({.api = "galumph2"});
  ASSERT_EQ(Ask(galumph), "galumph2_3");
  const auto calling = [&] {
    const auto keys = node_.Keys();
    return keys.calling_size() == 1 ? keys.calling(0).pair().key() : "";
  };
  const std::string before = calling();
  ASSERT_NE(before, "");
  three.service.Hold();
  std::optional<grpc::ClientContext> context(std::in_place);  // which keeps its channel
  const galumph::v2::RegisterRequest request;
  galumph::v2::RegisterResponse reply;
  std::promise<grpc::Status> done;
  galumph->async()->Register(&*context, &request, &reply,
                             [&](grpc::Status status) { done.set_value(status); });
  ASSERT_TRUE(Eventually([&] { return three.service.calls() == 2; }));
  node_.RollKeys();
  // Two connections, as long as a call is under way on the first.
  EXPECT_TRUE(Eventually([&] { return node_.Keys().calling_size() == 2; }));
  three.service.Release();
  EXPECT_TRUE(Await(done.get_future(), "the end of a call").ok());
  context.reset();
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ(Ask(galumph), "galumph2_3");
    const std::string now = calling();
    return !now.empty() && now != before;
  }));
  EXPECT_EQ(galumph.rebinds(), 0U) << "it is the same instance";
}

TEST_F(ConnectTest, IsMadeAndDestroyedManyTimes) {
  const Instance three(node_, "galumph2_3");
  node_.Put("galumph2_3", three.net_id());
  for (int i = 0; i < 30; ++i) {
    const auto galumph = ConnectTo({.api = "galumph2"});
    if (i % 2 == 0) {
      EXPECT_EQ(Ask(galumph), "galumph2_3");
    }
  }
}

}  // namespace
}  // namespace radix
