#include "services/confab/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/clock.h"
#include "services/confab/socket_address.h"
#include "tests/wait.h"

namespace radix::confab {
namespace {

// A ClientHello with nothing in it but TLS 1.3.
std::string Hello() {
  std::string body("\x03\x03", 2);
  body += std::string(32, 'r') + std::string("\0\0\x02\x13\x01\x01\0", 7);
  body += std::string("\0\x07\0\x2b\0\x03\x02\x03\x04", 9);
  std::string message("\x01\0\0", 3);
  message += static_cast<char>(body.size());
  message += body;
  std::string record("\x16\x03\x01\0", 4);
  record += static_cast<char>(message.size());
  return record + message;
}

// The far end of a connection.
class Caller {
 public:
  explicit Caller(const Endpoint& to, const std::string& from = "127.0.0.1")
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    socklen_t size = ToSystem({*IpAddress::Parse(from), 0}, address);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    size = ToSystem(to, address);
    connected_ = connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
  }
  bool connected() const { return connected_; }
  void Say(const std::string& text) const {
    send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Whether the other side closed it within `limit`.
  bool IsEnded(Duration limit) const {
    pollfd readable{socket_.get(), POLLIN, 0};
    char byte = 0;
    return poll(&readable, 1, static_cast<int>(limit / 1ms)) > 0 &&
           recv(socket_.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }
  std::string name() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return "ipv4:" + FromSystem(address).ToString();
  }

 private:
  Descriptor socket_;
  bool connected_ = false;
};

// Keeps what is logged.
class LogLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool Has(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(
        lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    lines_.emplace_back(message.payload.begin(), message.payload.end());
  }
  void flush_() override {}

  std::vector<std::string> lines_;
};

class AcceptorTest : public testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_));
  }
  std::unique_ptr<Caller> From(const std::string& host) const {
    return std::make_unique<Caller>(acceptor_->endpoint(), host);
  }

  void Begin(const AcceptorOptions& options = {},
             std::unique_ptr<Transports> transports = nullptr) {
    auto acceptor = Acceptor::Listen({*IpAddress::Parse("127.0.0.1"), 0}, options);
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    acceptor_->Begin(
        [this](int, int connection) {
          const std::lock_guard lock(mutex_);
          handed_.emplace_back(connection);
        },
        std::move(transports));
  }
  std::size_t handed() {
    const std::lock_guard lock(mutex_);
    return handed_.size();
  }
  Descriptor TakeHanded() {
    const std::lock_guard lock(mutex_);
    Descriptor last = std::move(handed_.back());
    handed_.pop_back();
    return last;
  }

  std::shared_ptr<LogLines> log_ = std::make_shared<LogLines>();
  std::mutex mutex_;
  std::vector<Descriptor> handed_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, WhoSaysHelloIsHandedOnWithAllThatItSaid) {
  Begin();
  const Caller caller(acceptor_->endpoint());
  const std::string hello = Hello();
  caller.Say(hello.substr(0, 20));
  EXPECT_FALSE(caller.IsEnded(50ms));
  EXPECT_EQ(handed(), 0U);
  caller.Say(hello.substr(20));
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  const Descriptor connection = TakeHanded();
  std::string read(hello.size() + 1, '\0');
  EXPECT_EQ(recv(connection.get(), read.data(), read.size(), 0),
            static_cast<ssize_t>(hello.size()));
  EXPECT_EQ(acceptor_->connections()->size(), 1U);
}

TEST_F(AcceptorTest, WhoSaysAnythingElseIsNot) {
  Begin();
  const Caller caller(acceptor_->endpoint());
  caller.Say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(caller.IsEnded(5s));
  EXPECT_EQ(handed(), 0U);
}

TEST_F(AcceptorTest, WhoIsSilentIsEndedInTime) {
  Begin({.silence_max = 100ms});
  const Caller mute(acceptor_->endpoint());
  const Caller slow(acceptor_->endpoint());
  slow.Say(Hello().substr(0, 5));
  const Caller quick(acceptor_->endpoint());
  quick.Say(Hello());
  EXPECT_TRUE(mute.IsEnded(5s));
  EXPECT_TRUE(slow.IsEnded(5s));
  EXPECT_FALSE(quick.IsEnded(50ms));
  EXPECT_TRUE(log_->Has("host 127.0.0.1 was ended: it said no ClientHello within 100 ms"));
}

TEST_F(AcceptorTest, OnlySoManyOfAHostAreSilentAtATimeAndTheOldestMakesRoom) {
  Begin({.silent_per_host_max = 2, .silence_max = 60s});
  const Caller first(acceptor_->endpoint());
  const Caller second(acceptor_->endpoint());
  const Caller third(acceptor_->endpoint());
  EXPECT_TRUE(first.IsEnded(5s));
  EXPECT_FALSE(third.IsEnded(50ms));
  third.Say(Hello());
  EXPECT_TRUE(Eventually([&] { return handed() == 1; }));
  EXPECT_FALSE(second.IsEnded(50ms));
  EXPECT_TRUE(log_->Has("host 127.0.0.1 made room for another: it has more than 2 connections"));
}

// Five hosts shut everybody out so.
TEST_F(AcceptorTest, WhereAllAreSilentTheHostThatHasMostOfThemMakesRoomForANewcomer) {
  Begin({.silent_max = 4, .silence_max = 60s});
  const auto oldest = From("127.0.0.3");
  const auto many1 = From("127.0.0.2");
  const auto many2 = From("127.0.0.2");
  const auto many3 = From("127.0.0.2");
  const auto newcomer = From("127.0.0.4");
  EXPECT_TRUE(many1->IsEnded(5s));
  const auto quick = From("127.0.0.5");
  quick->Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  newcomer->Say(Hello());
  oldest->Say(Hello());
  EXPECT_TRUE(Eventually([&] { return handed() == 3; }));
  EXPECT_FALSE(many3->IsEnded(50ms));
  EXPECT_TRUE(log_->Has("host 127.0.0.2 made room for another: of 4 connections"));
}

TEST_F(AcceptorTest, OnlySoManyAreThere) {
  Begin({.connections_max = 1});
  const Caller first(acceptor_->endpoint());
  first.Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  const Caller second(acceptor_->endpoint());
  second.Say(Hello());
  EXPECT_TRUE(second.IsEnded(5s));
  EXPECT_TRUE(log_->Has("host 127.0.0.1 was refused: there are 1 connections"));
}

TEST_F(AcceptorTest, WhileAllConnectTooOftenWhoSaysHelloWaitsForItsTurn) {
  AcceptorOptions options{.silence_max = 60s};
  options.budget.all[static_cast<std::size_t>(Use::kConnections)] = {1, 20};
  options.budget.for_known = 0;
  Begin(options);
  std::vector<std::unique_ptr<Caller>> callers;
  for (const char* host : {"127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    callers.push_back(From(host));
    callers.back()->Say(Hello());
  }
  EXPECT_TRUE(Eventually([&] { return handed() == callers.size(); }));
}

TEST_F(AcceptorTest, WhoseTurnDoesNotComeInTimeIsRefusedAndTheLogSaysSo) {
  AcceptorOptions options{.silence_max = 100ms};
  options.budget.all[static_cast<std::size_t>(Use::kConnections)] = {1, 0.001};
  options.budget.for_known = 0;
  Begin(options);
  const auto first = From("127.0.0.2");
  first->Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  const auto second = From("127.0.0.3");
  second->Say(Hello());
  EXPECT_TRUE(second->IsEnded(5s));
  EXPECT_TRUE(log_->Has("host 127.0.0.3 was refused: all callers together connect too often"));
}

TEST_F(AcceptorTest, AHostWithoutBudgetGetsNoFurtherThanItsHello) {
  AcceptorOptions options;
  options.budget.host[static_cast<std::size_t>(Use::kConnections)] = {1, 0};
  Begin(options);
  const Caller first(acceptor_->endpoint());
  first.Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  const Caller second(acceptor_->endpoint());
  second.Say(Hello());
  EXPECT_TRUE(second.IsEnded(5s));
  EXPECT_FALSE(first.IsEnded(50ms));
  EXPECT_EQ(handed(), 1U);
}

// Whoever connects is let in with the same key; of each so many calls are open, or were given up.
class SameForAll final : public Transports {
 public:
  std::vector<LetIn> TakeLetIn() override {
    const std::lock_guard lock(mutex);
    std::vector<LetIn> all;
    for (const std::string& peer : std::exchange(peers, {})) all.push_back({1, peer, Shown{}});
    return all;
  }
  bool Count(std::int64_t, Traffic& traffic) override {
    traffic.streams_begun = open + resets;
    traffic.streams_reset = resets;
    return true;
  }
  void Expect(const Caller& caller) {
    const std::lock_guard lock(mutex);
    peers.push_back(caller.name());
  }

  std::mutex mutex;
  std::vector<std::string> peers;
  std::atomic<std::uint64_t> open = 0;
  std::atomic<std::uint64_t> resets = 0;
};

TEST_F(AcceptorTest, ABusyConnectionIsLookedAtAgainAndAgain) {
  AcceptorOptions options;
  options.budget.key[static_cast<std::size_t>(Use::kResets)] = {10, 0.001};
  auto owned = std::make_unique<SameForAll>();
  SameForAll& transports = *owned;
  Begin(options, std::move(owned));
  const Caller caller(acceptor_->endpoint());
  transports.Expect(caller);
  caller.Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  const Descriptor connection = TakeHanded();
  std::string read(1 << 10, '\0');
  EXPECT_GT(recv(connection.get(), read.data(), read.size(), 0), 0);
  EXPECT_FALSE(caller.IsEnded(200ms)) << "and by now nobody looks any more";
  transports.resets = 11;
  caller.Say("x");
  EXPECT_TRUE(caller.IsEnded(5s));
  EXPECT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 0; }));
}

// Their handshakes need not even fail for that.
TEST_F(AcceptorTest, WhereAllConnectionsAreTakenStrangersMakeRoomAndWhoWasLetInDoesNot) {
  auto owned = std::make_unique<SameForAll>();
  SameForAll& transports = *owned;
  Begin({.connections_max = 4}, std::move(owned));
  std::vector<std::unique_ptr<Caller>> good;
  std::vector<std::unique_ptr<Caller>> strangers;
  const auto add = [&](std::vector<std::unique_ptr<Caller>>& to, const std::string& host) {
    to.push_back(From(host));
    const std::size_t before = handed();
    to.back()->Say(Hello());
    const bool was_handed = Eventually([&] { return handed() == before + 1; });
    if (&to == &good) transports.Expect(*to.back());
    return was_handed;
  };
  ASSERT_TRUE(add(good, "127.0.0.2"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(add(strangers, "127.0.0.3"));
  ASSERT_TRUE(add(strangers, "127.0.0.4"));
  ASSERT_TRUE(add(good, "127.0.0.2"));
  EXPECT_TRUE(strangers[0]->IsEnded(5s));
  EXPECT_TRUE(log_->Has("host 127.0.0.3 made room for another: of 4 connections"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(add(good, "127.0.0.2"));
  EXPECT_TRUE(strangers[1]->IsEnded(5s));
  EXPECT_TRUE(strangers[2]->IsEnded(5s));
  EXPECT_EQ(acceptor_->connections()->size(), 4U);
  const auto refused = From("127.0.0.5");
  refused->Say(Hello());
  EXPECT_TRUE(refused->IsEnded(5s));
  for (const auto& each : good) EXPECT_FALSE(each->IsEnded(20ms));
}

TEST_F(AcceptorTest, WhoEndsAConnectionHasItsBudgetAgain) {
  AcceptorOptions options;
  options.budget.key[static_cast<std::size_t>(Use::kStreams)] = {10, 0};
  auto owned = std::make_unique<SameForAll>();
  SameForAll& transports = *owned;
  transports.open = 10;
  Begin(options, std::move(owned));
  for (int i = 0; i < 5; ++i) {
    {
      const Caller caller(acceptor_->endpoint());
      transports.Expect(caller);
      caller.Say(Hello());
      ASSERT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 1; }));
      EXPECT_FALSE(caller.IsEnded(100ms)) << i;
    }
    EXPECT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 0; }));
  }
}

TEST_F(AcceptorTest, AConnectionThatEndedIsForgotten) {
  Begin();
  {
    const Caller caller(acceptor_->endpoint());
    caller.Say(Hello());
    ASSERT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 0; }));
}

// gRPC shuts a connection down before it closes it.
TEST_F(AcceptorTest, AConnectionThatTheServerEndedIsForgottenAndTheCallerHearsOfIt) {
  Begin();
  const Caller caller(acceptor_->endpoint());
  caller.Say(Hello());
  ASSERT_TRUE(Eventually([&] { return handed() == 1; }));
  shutdown(TakeHanded().get(), SHUT_RDWR);
  EXPECT_TRUE(Eventually([&] { return acceptor_->connections()->size() == 0; }));
  EXPECT_TRUE(caller.IsEnded(5s));
}

TEST_F(AcceptorTest, WhoseKeyIsNotBelievedAnyMoreIsEnded) {
  Begin();
  Shown good;
  good.key.bytes.fill(1);
  Shown bad;
  bad.key.bytes.fill(2);
  const Caller stays(acceptor_->endpoint());
  const Caller goes(acceptor_->endpoint());
  const Caller unknown(acceptor_->endpoint());
  for (const Caller* each : {&stays, &goes, &unknown}) each->Say(Hello());
  Connections& connections = *acceptor_->connections();
  ASSERT_TRUE(Eventually([&] { return connections.size() == 3; }));
  connections.HandleCall(stays.name(), [&] { return std::optional(good); });
  connections.HandleCall(goes.name(), [&] { return std::optional(bad); });
  connections.HandleCall(goes.name(), [&] { return std::optional(good); });  // is not asked
  EXPECT_EQ(connections.Recheck([&](const Shown& shown) { return shown.key == good.key; }), 2U);
  EXPECT_TRUE(goes.IsEnded(5s));
  EXPECT_TRUE(unknown.IsEnded(5s));
  EXPECT_FALSE(stays.IsEnded(50ms));
  EXPECT_TRUE(Eventually([&] { return connections.size() == 1; }));
}

TEST_F(AcceptorTest, WithoutDescriptorsItIsDeafOnlyForAWhile) {
  Begin();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<Descriptor> all;
  while (all.empty() || all.back()) all.emplace_back(dup(0));
  all.pop_back();
  all.pop_back();  // room for the caller's, not for the server's
  const Caller caller(acceptor_->endpoint());
  ASSERT_TRUE(caller.connected());  // by the kernel
  caller.Say(Hello());
  EXPECT_FALSE(caller.IsEnded(300ms));
  EXPECT_EQ(handed(), 0U);
  all.clear();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(Eventually([&] { return handed() == 1; }));
}

TEST_F(AcceptorTest, APortThatIsInUseIsNamed) {
  Begin();
  const auto second = Acceptor::Listen(acceptor_->endpoint());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()),
              testing::HasSubstr(acceptor_->endpoint().ToString()));
}

}  // namespace
}  // namespace radix::confab
