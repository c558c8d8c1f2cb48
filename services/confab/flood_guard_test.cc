// Real connections, and counters that the test sets.

#include "services/confab/flood_guard.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/confab/address.h"
#include "services/confab/descriptor.h"
#include "services/confab/socket_address.h"

namespace radix::confab {
namespace {

class FakeTransports final : public Transports {
 public:
  std::vector<LetIn> TakeLetIn() override { return std::exchange(let_in, {}); }
  bool Count(std::int64_t handle, Traffic& traffic) override {
    const auto found = counts.find(handle);
    if (found == counts.end()) return false;
    traffic = found->second;
    return true;
  }

  std::vector<LetIn> let_in;
  std::map<std::int64_t, Traffic> counts;
};

class GuardTest : public testing::Test {
 protected:
  struct Connection {
    std::uint64_t id = 0;
    Descriptor ours;
    Descriptor theirs;
  };

  void SetUp() override {
    listener_ = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    const socklen_t size = ToSystem({*IpAddress::Parse("127.0.0.1"), 0}, address);
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener_.get(), 16), 0);
  }

  // One of `host`, on which nobody was let in yet.
  Connection& Connect(const std::string& host) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    Connection& connection = all_.emplace_back();
    connection.id = all_.size();
    connection.theirs = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(connection.theirs.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    connection.ours = Descriptor(accept(listener_.get(), nullptr, nullptr));
    const std::string peer = PeerOf(connection);
    auto tally = connections_->Add(peer, connection.id, Descriptor(dup(connection.ours.get())));
    guard_.Add(connection.id, peer, host, connection.ours.get(), std::move(tally), now_);
    guard_.HandleBusy(connection.id, now_);
    return connection;
  }
  // And with a key.
  Connection& LetIn(const std::string& host, std::uint8_t key) {
    Connection& connection = Connect(host);
    Shown shown;
    shown.key.bytes[0] = key;
    const auto handle = static_cast<std::int64_t>(connection.id);
    transports_->let_in.push_back({handle, PeerOf(connection), shown});
    transports_->counts[handle] = {};
    return connection;
  }

  static std::string PeerOf(const Connection& connection) {
    return absl::StrCat("ipv4:127.0.0.1:", connection.id);
  }
  Traffic& CountsOf(const Connection& connection) {
    return transports_->counts[static_cast<std::int64_t>(connection.id)];
  }
  bool Admits(const std::string& host) {
    return connections_->AdmitHost(host) == Connections::Admission::kAdmitted;
  }
  // As long after the last time as it takes.
  std::vector<std::uint64_t> Look() {
    now_ += 100ms;
    return guard_.Look(now_);
  }
  static void Say(const Connection& connection, std::size_t bytes) {
    const std::string text(bytes, 'x');
    ASSERT_EQ(send(connection.theirs.get(), text.data(), bytes, MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes));
  }
  // Reads what was said; takes for the end what gRPC would.
  static bool IsEnded(const Connection& connection) {
    pollfd readable{connection.theirs.get(), POLLIN, 0};
    char byte = 0;
    return poll(&readable, 1, 0) > 0 && recv(connection.theirs.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }

  static PeerBudgetOptions Small() {
    PeerBudgetOptions options{.key = {}, .host = {}, .all = {}};
    options.key[static_cast<std::size_t>(Use::kResets)] = {10, 1};
    options.key[static_cast<std::size_t>(Use::kStreams)] = {10, 0};
    options.key[static_cast<std::size_t>(Use::kStray)] = {1 << 20, 1024};
    options.host[static_cast<std::size_t>(Use::kResets)] = {20, 1};
    options.host[static_cast<std::size_t>(Use::kStrangers)] = {2, 0};
    return options;
  }

  Instant now_ = Instant{} + 1h;
  Descriptor listener_;
  std::deque<Connection> all_;
  FakeTransports* transports_ = new FakeTransports;  // the guard's
  std::shared_ptr<Connections> connections_ = std::make_shared<Connections>(Small());
  FloodGuard guard_{connections_, std::unique_ptr<Transports>(transports_)};
};

TEST_F(GuardTest, WhoResetsTooMuchIsEndedOnAllItsConnectionsAndNobodyElseIs) {
  const Connection& bad = LetIn("a", 1);
  const Connection& also = LetIn("a", 1);
  const Connection& good = LetIn("a", 2);
  Look();
  CountsOf(bad) = {.streams_begun = 10, .streams_reset = 10};
  Look();
  EXPECT_FALSE(IsEnded(bad));
  CountsOf(bad) = {.streams_begun = 12, .streams_reset = 12};
  guard_.HandleBusy(bad.id, now_);
  Look();
  EXPECT_TRUE(IsEnded(bad));
  EXPECT_TRUE(IsEnded(also));
  EXPECT_FALSE(IsEnded(good));
  EXPECT_FALSE(connections_->AdmitsKey(KeyId{{1}}));
  EXPECT_TRUE(connections_->AdmitsKey(KeyId{{2}}));
}

TEST_F(GuardTest, AHostIsEndedWithAllItsKeys) {
  const Connection& one = LetIn("a", 1);
  const Connection& two = LetIn("a", 2);
  const Connection& three = LetIn("a", 3);
  const Connection& good = LetIn("b", 4);
  for (const Connection* each : {&one, &two, &three}) {
    CountsOf(*each) = {.streams_begun = 9, .streams_reset = 9};
  }
  Look();
  for (const Connection* each : {&one, &two, &three}) EXPECT_TRUE(IsEnded(*each));
  EXPECT_FALSE(IsEnded(good));
  EXPECT_FALSE(Admits("a"));
  EXPECT_TRUE(Admits("b"));
}

// Whoever has a node's key makes itself one after another.
TEST_F(GuardTest, AHostThatComesWithOtherKeysIsEndedToo) {
  const Connection& one = LetIn("a", 1);
  CountsOf(one) = {.streams_begun = 15};
  Look();
  EXPECT_TRUE(IsEnded(one));
  EXPECT_TRUE(Admits("a"));
  guard_.Remove(one.id, true);
  const Connection& two = LetIn("a", 2);
  const Connection& three = LetIn("a", 3);
  CountsOf(two) = {.streams_begun = 15};
  Look();
  EXPECT_TRUE(IsEnded(two));
  EXPECT_TRUE(IsEnded(three));
  EXPECT_FALSE(Admits("a"));
}

TEST_F(GuardTest, OpenCallsAreGivenBackWhenAConnectionEnds) {
  for (int i = 0; i < 5; ++i) {
    const Connection& each = LetIn("a", 1);
    CountsOf(each) = {.streams_begun = 9};
    Look();
    EXPECT_FALSE(IsEnded(each));
    guard_.Remove(each.id, true);
  }
}

TEST_F(GuardTest, BytesThatAreNoMessagesEndAConnection) {
  const Connection& bad = LetIn("a", 1);
  const Connection& good = LetIn("b", 2);
  CountsOf(bad) = CountsOf(good) = {.streams_begun = 1};
  const auto tally = connections_->HandleCall(PeerOf(good), [] { return std::nullopt; });
  for (int i = 0; i < 20; ++i) {
    Say(bad, 100 << 10);
    Say(good, 100 << 10);
    ++tally->messages;
    tally->bytes += 100 << 10;
    std::string read(100 << 10, '\0');
    for (const Connection* each : {&bad, &good}) {
      if (recv(each->ours.get(), read.data(), read.size(), MSG_WAITALL) <= 0) break;
    }
    Look();
    if (IsEnded(bad)) break;
  }
  EXPECT_TRUE(IsEnded(bad));
  EXPECT_FALSE(IsEnded(good));
}

TEST_F(GuardTest, WhatHadComeAndWasNotReadIsGoneWithTheConnection) {
  const Connection& bad = LetIn("a", 1);
  Say(bad, 10000);
  CountsOf(bad) = {.streams_begun = 100, .streams_reset = 100};
  Look();
  char byte = 0;
  EXPECT_LT(recv(bad.ours.get(), &byte, 1, MSG_DONTWAIT), 0);
}

// The kernel counts anew then, and what it counts is less than before.
TEST_F(GuardTest, WhoIsEndedByOthersIsChargedWithNothingMore) {
  const Connection& revoked = LetIn("a", 1);
  Say(revoked, 32 << 10);
  Look();
  connections_->Recheck([](const Shown& shown) { return shown.key.bytes[0] != 1; });
  EXPECT_TRUE(IsEnded(revoked));
  guard_.HandleBusy(revoked.id, now_);
  Look();
  EXPECT_TRUE(Admits("a"));
  const Connection& next = LetIn("a", 2);
  Look();
  EXPECT_FALSE(IsEnded(next));
}

TEST_F(GuardTest, MuchIsComparedAtOnceAndLittleALittleLater) {
  const Connection& much = LetIn("a", 1);
  const Connection& little = LetIn("b", 2);
  Look();
  for (const Connection* each : {&much, &little}) {
    guard_.HandleBusy(each->id, now_);
    CountsOf(*each) = {.streams_begun = 15};
  }
  Say(much, 5000);
  Say(little, 100);
  guard_.Look(now_ += 10ms);
  EXPECT_TRUE(IsEnded(much));
  EXPECT_FALSE(IsEnded(little));
  guard_.Look(now_ += 90ms);
  EXPECT_TRUE(IsEnded(little));
}

TEST_F(GuardTest, LooksOnlyWhileSomethingComes) {
  const Connection& one = LetIn("a", 1);
  EXPECT_TRUE(guard_.next_look());
  Say(one, 5000);
  EXPECT_TRUE(Look().empty()) << "it is busy";
  EXPECT_EQ(Look(), std::vector{one.id});
  EXPECT_FALSE(guard_.next_look());
  guard_.HandleBusy(one.id, now_);
  EXPECT_EQ(guard_.next_look(), now_ + 10ms);
  Say(one, 50);
  EXPECT_TRUE(guard_.Look(now_ += 10ms).empty()) << "what came has not been compared yet";
}

TEST_F(GuardTest, StrangersAreLetInOrCounted) {
  EXPECT_TRUE(Admits("a"));
  const Connection& first = LetIn("a", 1);
  Look();
  EXPECT_TRUE(Admits("a")) << "the first is no stranger any more";
  const Connection& second = Connect("a");
  EXPECT_TRUE(Admits("a"));
  const Connection& third = Connect("a");
  EXPECT_FALSE(Admits("a"));
  guard_.Remove(third.id, /*known=*/true);
  EXPECT_TRUE(Admits("a")) << "it called, and was gone before anybody looked";
  guard_.Remove(second.id, /*known=*/false);
  EXPECT_FALSE(Admits("a"));
  guard_.Remove(first.id, true);
}

TEST_F(GuardTest, WhoIsLetInAndLeavesAtOnceIsNoStranger) {
  EXPECT_TRUE(Admits("a"));
  EXPECT_TRUE(Admits("a"));
  EXPECT_FALSE(Admits("a"));
  guard_.Remove(LetIn("a", 1).id, /*known=*/false);
  EXPECT_TRUE(Admits("a"));
}

TEST_F(GuardTest, StrangersMakeRoomAndWhoWasLetInDoesNot) {
  EXPECT_FALSE(guard_.MostCrowdingStranger());
  const Connection& alone = Connect("b");
  for (int i = 0; i < 5; ++i) LetIn("a", 1);
  EXPECT_EQ(guard_.MostCrowdingStranger()->id, alone.id);
  const Connection& first = Connect("a");
  const Connection& second = Connect("a");
  EXPECT_EQ(guard_.MostCrowdingStranger()->id, first.id);
  guard_.Remove(first.id, /*known=*/false);
  EXPECT_EQ(guard_.MostCrowdingStranger()->id, alone.id);
  guard_.Remove(alone.id, /*known=*/false);
  EXPECT_EQ(guard_.MostCrowdingStranger()->id, second.id);
}

// Its port may be in use again before its end is seen.
TEST_F(GuardTest, TheNextOneFromTheSamePortIsAnother) {
  const Connection& first = Connect("a");
  const std::string peer = PeerOf(first);
  auto tally = connections_->Add(peer, 77, Descriptor(dup(first.ours.get())));
  guard_.Add(77, peer, "a", first.ours.get(), std::move(tally), now_);
  guard_.Remove(first.id, false);
  Shown shown;
  shown.key.bytes[0] = 1;
  transports_->let_in.push_back({77, peer, shown});
  transports_->counts[77] = {.streams_begun = 100, .streams_reset = 100};
  guard_.HandleBusy(77, now_);
  Look();
  EXPECT_TRUE(IsEnded(first));
}

}  // namespace
}  // namespace radix::confab
