// A pulse under a supervisor that is a socket pair.

#include "clients/cpp/pulse.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/call.h"
#include "clients/cpp/fake_node.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/parent.h"

namespace radix {
namespace {

using galumph::v2::Galumph;

// A service whose reactions wait for a lock: in a deadlock, while somebody holds it.
class Stuck final : public Galumph::CallbackService {
 public:
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest*,
                                     galumph::v2::RegisterResponse*) override {
    ++waiting;
    const std::lock_guard held(lock);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  std::mutex lock;
  std::atomic<int> waiting = 0;
};

class PulseTest : public testing::Test {
 protected:
  PulseTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_.data()), 0);
    setenv("RADIX_SUPERVISOR_FD", std::to_string(ends_[1]).c_str(), 1);
    auto server = confab::Server::Start(node_.network().node, {.socket = "galumph"},
                                        {confab::Hosted(service_)});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~PulseTest() override {
    server_.reset();
    unsetenv("RADIX_SUPERVISOR_FD");
    for (const int end : ends_) close(end);
  }

  // Takes the next word, if one comes within `limit`.
  bool Hears(Duration limit) {
    pollfd readable{ends_[0], POLLIN, 0};
    if (poll(&readable, 1, static_cast<int>(limit / 1ms)) <= 0) return false;
    const auto message = confab::ReceiveMessage(ends_[0]);
    return message.ok() && message->body.dump() == R"({"alive":true})";
  }

  // Whether it falls silent: at most what was on its way is still heard.
  bool FallsSilent() {
    for (int i = 0; i < 2; ++i) {
      if (!Hears(3s)) return true;
    }
    return !Hears(3s);
  }

  FakeNode node_;
  std::array<int, 2> ends_{};
  Stuck service_;
  std::unique_ptr<confab::Server> server_;
};

TEST_F(PulseTest, SpeaksAgainAndAgain) {
  const Pulse pulse(*server_, nullptr);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Hears(20s));
}

TEST_F(PulseTest, SpeaksOnlyAfterTheServiceTookATurn) {
  std::atomic<int> turns = 0;
  confab::TimerThread loop([&](Instant) {
    ++turns;
    return Instant::max();
  });
  struct Service {
    void AfterTurn(std::function<void()> then) { loop.AfterTurn(std::move(then)); }
    confab::TimerThread& loop;
  } service{loop};
  const Pulse pulse(*server_, AfterTurnOf(service));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Hears(20s));
  EXPECT_GE(turns, 3);
}

TEST_F(PulseTest, IsSilentWhileTheServicesLoopIsStuckAndGoesOnAfterwards) {
  std::mutex lock;
  confab::TimerThread loop([&](Instant) {
    const std::lock_guard held(lock);
    return Instant::max();
  });
  const Pulse pulse(*server_,
                    [&](std::function<void()> alive) { loop.AfterTurn(std::move(alive)); });
  ASSERT_TRUE(Hears(20s));
  {
    const std::lock_guard held(lock);
    EXPECT_TRUE(FallsSilent());
  }
  EXPECT_TRUE(Hears(20s));
}

TEST_F(PulseTest, IsSilentWhileAllOfGrpcsThreadsAreStuck) {
  const Pulse pulse(*server_, nullptr);
  ASSERT_TRUE(Hears(20s));
  auto stub = Galumph::NewStub(confab::DialLocal(node_.network().node, "galumph"));
  std::vector<std::future<grpc::Status>> calls;
  {
    const std::lock_guard held(service_.lock);
    constexpr int kMoreThanItHasThreads = 64;
    for (int i = 0; i < kMoreThanItHasThreads; ++i) {
      calls.push_back(std::async(std::launch::async, [&] {
        galumph::v2::RegisterResponse response;
        return Call(*stub->async(), &Galumph::Stub::async::Register, {}, response,
                    {.timeout = 120s});
      }));
    }
    ASSERT_TRUE(Eventually([&] { return service_.waiting > 0; }));
    EXPECT_TRUE(FallsSilent());
  }
  for (auto& call : calls) EXPECT_TRUE(call.get().ok());
  EXPECT_TRUE(Hears(20s));
}

TEST_F(PulseTest, ALateProofOfAPulseThatHasEndedIsIgnored) {
  std::promise<std::function<void()>> proof;
  std::atomic<bool> asked = false;
  {
    const Pulse pulse(*server_, [&](std::function<void()> alive) {
      if (!asked.exchange(true)) proof.set_value(std::move(alive));
    });
    ASSERT_TRUE(Eventually([&] { return asked.load(); }));
  }
  proof.get_future().get()();
  EXPECT_FALSE(Hears(100ms));
}

}  // namespace
}  // namespace radix
