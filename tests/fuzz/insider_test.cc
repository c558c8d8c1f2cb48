// What one datagram, or some, of a member that lies may do to a node, and what it may not.

#include "tests/fuzz/insider.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "services/flock/replay_window.h"
#include "tests/fuzz/victim.h"
#include "tests/sim/cluster.h"

namespace radix::fuzz {
namespace {

const flock::Key kSecondary{0xf1, 0x0c};

flock::KeyRing RingOf(const flock::KeyId& id) {
  return {flock::Ranking(TextHash(FuzzCharter().bloc)), id, flock::Key{9, 9, 9}, 24h, Instant(1h)};
}

// A victim, and three members of which the middle one may lie.
class InsiderTest : public testing::Test {
 protected:
  InsiderTest() {
    for (const std::uint32_t slot : {1U, 71U, 141U}) {
      members_.push_back(std::make_unique<Insider>(
          victim_.charter(), flock::MemberId{slot, std::uint64_t{slot} + 10}, kSecondary));
    }
  }

  Insider& liar() { return *members_[1]; }

  std::vector<Sent> Carry(std::vector<Sent> sent) {
    for (const Sent& each : sent) {
      for (const auto& member : members_) {
        if (member->self().slot == each.slot) member->Receive(each.bytes, victim_.now());
      }
    }
    return sent;
  }
  std::vector<Sent> Send(const Insider& from, const Bytes& datagram) {
    if (datagram.empty()) return {};
    return Carry(victim_.Receive(from.self().slot, datagram));
  }
  std::vector<Sent> SendGroup(Insider& from, const flock::Beat& beat,
                              const std::function<void(flock::Writer&)>& fill = nullptr) {
    std::array<std::uint8_t, flock::kDatagramSizeMax - flock::kHeaderSize - flock::kTagSize> draft;
    flock::Writer body(draft);
    Encode(beat, body);
    if (fill) fill(body);
    return Send(from, from.Group(body.written()));
  }

  // As an honest member: answers its ping, tells its key, grants what is asked for.
  void Behave(Insider& member) {
    SendGroup(member, member.HonestBeat(), [&](flock::Writer& body) {
      if (member.ping()) Append(flock::Ack{member.ping()->token, member.ping()->sequence}, body);
      const flock::Record record = member.record();
      AppendRecords(std::span(&record, 1), body);
      Append(flock::KeyTell{!member.has_pair_key(), member.public_key()}, body);
    });
    if (!member.ask()) return;
    const flock::LeaseAsk ask = *member.ask();
    SendPair(member, [&](flock::Writer& body) {
      Append(flock::LeaseGrant{ask.epoch, ask.sequence, ++answers_, ask.electorate}, body);
    });
  }
  void SendPair(Insider& from, const std::function<void(flock::Writer&)>& fill) {
    std::array<std::uint8_t, flock::kDatagramSizeMax - flock::kHeaderSize - flock::kTagSize> draft;
    flock::Writer body(draft);
    Encode(from.HonestBeat(), body);
    fill(body);
    Send(from, from.Pair(body.written()));
  }
  void Acquaint(Insider& member) {
    for (int i = 0; i < 2; ++i) {  // for a token, and with it
      Send(member, member.Hello(victim_.core().self(), victim_.now()));
    }
    SendGroup(member, member.HonestBeat(), [](flock::Writer& body) {
      Append(flock::Ping{1, 1, flock::Ping::kIntroduceYourself}, body);
    });
    Behave(member);
    Behave(member);
  }
  void Live(Duration duration) {
    for (Duration passed{}; passed < duration; passed += 100ms) {
      Carry(victim_.Wait(100ms));
      Carry(victim_.Store());
      for (const auto& member : members_) Behave(*member);
    }
  }
  void Lead() {
    Carry(victim_.Wait(200ms));
    for (const auto& member : members_) Acquaint(*member);
    Live(6s);
    ASSERT_TRUE(victim_.core().own_leadership(victim_.now()));
  }

  // Says that it uses a key that nobody has, and answers the question for it with `ring`.
  void HandRing(Insider& from, const flock::KeyRing& ring) {
    flock::Beat beat = from.HonestBeat();
    beat.ring_tag = ring.current().tag;
    SendGroup(from, beat);
    Send(from, from.Welcome(WelcomeOf(from, ring), victim_.now()));
  }
  static flock::Welcome WelcomeOf(const Insider& from, const flock::KeyRing& ring) {
    std::array<std::uint8_t, flock::KeyRing::kEncodedSizeMax> bytes;
    flock::Writer out(bytes);
    ring.Encode(out);
    flock::Welcome welcome;
    welcome.sender = from.record();
    welcome.beat = from.HonestBeat();
    welcome.beat.ring_tag = ring.current().tag;
    welcome.counter = 5000;
    welcome.secondary_keys = {kSecondary};
    welcome.ring.assign(out.written().begin(), out.written().end());
    return welcome;
  }

  Victim victim_{kSecondary};
  std::vector<std::unique_ptr<Insider>> members_;
  std::uint64_t answers_ = 0;
};

TEST_F(InsiderTest, AMemberReplacesNoKeyOfASealedLeaderWhichGoesOnRotatingIt) {
  Lead();
  const std::uint32_t key = victim_.core().transient_key_id();
  for (const std::uint64_t epoch :
       {std::uint64_t{1000}, std::numeric_limits<std::uint64_t>::max()}) {
    HandRing(liar(), RingOf({epoch, epoch == 1000 ? 7U : 0xffffffffU, liar().self()}));
    EXPECT_EQ(victim_.core().transient_key_id(), key);
  }
  Live(60s);
  EXPECT_NE(victim_.core().transient_key_id(), key) << "it is rotated";
  EXPECT_TRUE(victim_.core().own_leadership(victim_.now()));
}

TEST_F(InsiderTest, ARingOfAnEpochOrSerialThatCannotBeIsTakenByNobody) {
  Carry(victim_.Wait(200ms));
  Acquaint(liar());
  const std::uint32_t key = victim_.core().transient_key_id();
  HandRing(liar(), RingOf({std::numeric_limits<std::uint64_t>::max(), 0, liar().self()}));
  EXPECT_EQ(victim_.core().transient_key_id(), key);
  HandRing(liar(), RingOf({5, 0xffffffff, liar().self()}));
  EXPECT_EQ(victim_.core().transient_key_id(), key);
}

// Boots without anybody; `slot` is asked whether somebody is there, and answers with `ring`.
bool TakesFrom(Victim& victim, std::uint32_t slot) {
  Insider other(victim.charter(), {slot, 22}, kSecondary);
  const flock::KeyRing ring = RingOf({0, 0, other.self()});
  for (int i = 0; i < 40000; ++i) {
    for (const Sent& each : victim.Wait(50ms)) {
      if (each.slot != slot || !other.Receive(each.bytes, victim.now())) continue;
      flock::Welcome welcome;
      std::array<std::uint8_t, flock::KeyRing::kEncodedSizeMax> bytes;
      flock::Writer out(bytes);
      ring.Encode(out);
      welcome.sender = other.record();
      welcome.beat = other.HonestBeat();
      welcome.beat.ring_tag = ring.current().tag;
      welcome.counter = 1;
      welcome.secondary_keys = {kSecondary};
      welcome.ring.assign(out.written().begin(), out.written().end());
      for (const Sent& again : victim.Receive(slot, other.Retry())) {
        if (again.slot == slot && other.Receive(again.bytes, victim.now())) {
          victim.Receive(slot, other.Welcome(welcome, victim.now()));
          return victim.core().transient_key_id() == ring.current().tag;
        }
      }
    }
  }
  return false;
}

TEST_F(InsiderTest, AHelloOfAnEarlierTimeDoesNotKeepANewcomerFromTheFlocksRing) {
  victim_.Wait(50ms);
  const Bytes recorded = members_[0]->Hello(victim_.core().self(), victim_.now());
  Send(*members_[0], recorded);
  ASSERT_TRUE(members_[0]->has_token());
  // Its author said that it would take any ring; of the newcomer nobody has it.
  const Bytes with_token = members_[0]->Hello(victim_.core().self(), victim_.now(), true);
  for (const std::uint32_t slot : {1U, 71U, 141U, 199U}) {
    Victim newcomer(kSecondary);
    newcomer.Wait(50ms);
    EXPECT_EQ(newcomer.Receive(1, recorded).size(), 1U);
    newcomer.Wait(4s);
    EXPECT_EQ(newcomer.Receive(1, with_token).size(), 0U);
    EXPECT_TRUE(TakesFrom(newcomer, slot)) << slot;
  }
}

TEST_F(InsiderTest, OneHelloIsAnsweredOnceAndItsReplaysShutNobodyOut) {
  victim_.Wait(2s);
  const Bytes recorded = members_[0]->Hello(victim_.core().self(), victim_.now());
  std::size_t answers = 0;
  for (int i = 0; i < 1000; ++i) answers += victim_.Receive(1, recorded).size();
  EXPECT_EQ(answers, 1U);
  for (int i = 0; i < 20; ++i) {
    for (int replay = 0; replay < 110; ++replay) victim_.Receive(1, recorded);
    const Bytes hello = liar().Hello(victim_.core().self(), victim_.now());
    EXPECT_EQ(victim_.Receive(liar().self().slot, hello).size(), 1U) << i;
    victim_.Wait(50ms);
  }
}

TEST_F(InsiderTest, OneMemberIsSentNoMoreOfWhatDiffersThanItCanNeed) {
  Carry(victim_.Wait(200ms));
  Acquaint(liar());
  for (std::uint32_t slot = 2; slot < 200; slot += 33) {
    SendGroup(liar(), liar().HonestBeat(), [&](flock::Writer& body) {
      std::vector<flock::Record> records;
      for (std::uint32_t at = slot; at < std::min(slot + 33, 200U); ++at) {
        if (at != liar().self().slot) {
          records.push_back({{at, 1000 + at}, 1, flock::MemberState::kAlive, 5});
        }
      }
      AppendRecords(records, body);
    });
  }
  ASSERT_GT(victim_.core().live_count(), 190U);
  const auto ask = [&] {
    std::size_t bytes = 0;
    for (int i = 0; i < 100; ++i) {
      for (const Sent& sent : SendGroup(liar(), liar().HonestBeat(), [](flock::Writer& body) {
             const std::array<std::uint8_t, 48> nobody{};
             Append(flock::Words{0, true, 15, std::span(nobody)}, body);
           })) {
        bytes += sent.bytes.size();
      }
    }
    return bytes;
  };
  EXPECT_LT(ask(), 60000U) << "532,000 where nothing holds it back";
  victim_.Wait(1s);
  EXPECT_GT(ask(), 5000U) << "later it is answered again";
}

TEST_F(InsiderTest, AStrangerCausesNoAlarmHoweverLateItIs) {
  victim_.Wait(10s);
  std::array<std::uint8_t, 100> datagram{};
  flock::Writer head(datagram);
  Encode(flock::Header{flock::PacketType::kHello, 0x12345677, {7, 99}, 1}, head);
  EXPECT_TRUE(victim_.Receive(7, datagram).empty());
  for (int i = 0; i < 12; ++i) victim_.Wait(5s);
  EXPECT_EQ(victim_.alarms(), 0U);
}

// In a network that lets it send from others' addresses: its datagrams under the group's key are
// taken for the leader's, with a counter that the leader will never reach, or only late.
class ForgedAddressTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ForgedAddressTest, WhoCountsInALeadersNameNeitherUnseatsNorRemovesIt) {
  constexpr std::size_t kNodes = 10;
  sim::ClusterOptions options;
  options.nodes = kNodes;
  options.seed = 5;
  sim::Cluster cluster(options);
  for (std::size_t i = 0; i < kNodes; ++i) cluster.Boot(i);
  ASSERT_TRUE(cluster.RunUntilTrue([&] { return cluster.OneView() && cluster.OneLeader(); },
                                   Duration(60s)));
  cluster.RunFor(5s);
  const std::size_t leader = *cluster.Leader();
  const std::size_t liar = (leader + 1) % kNodes;
  const flock::MemberId victim = cluster.flock(leader).self();
  Insider insider(cluster.charter(), cluster.flock(liar).self(), cluster.secondary_key());
  cluster.lets_pass = [&](std::size_t, std::size_t to, std::span<const std::uint8_t> bytes) {
    const auto header = flock::DecodeHeader(bytes);
    if (to == liar && header &&
        (header->type == flock::PacketType::kWelcome ||
         header->type == flock::PacketType::kRetry)) {
      insider.Receive(bytes, cluster.LocalNow(liar));
    }
    return true;
  };
  for (int i = 0; i < 2; ++i) {  // for a token, and with it
    cluster.Inject(cluster.slot(liar), leader, insider.Hello(victim, cluster.LocalNow(liar)));
    cluster.RunFor(20ms);
  }
  cluster.lets_pass = nullptr;
  int suffered = 0;
  cluster.on_event = [&](std::size_t, const flock::Event& event) {
    if (event.kind == flock::EventKind::kUnsealed ||
        event.kind == flock::EventKind::kSealedLeaderLost ||
        (event.kind == flock::EventKind::kDied && event.subject == victim)) {
      ++suffered;
    }
  };
  const flock::PacketProtection protection(cluster.charter().bloc);
  const std::uint32_t tag = cluster.flock(leader).transient_key_id();
  ASSERT_NE(insider.KeyOf(tag), nullptr);
  int taken = 0;
  for (std::size_t to = 0; to < kNodes; ++to) {
    if (to == leader || to == liar) continue;
    std::array<std::uint8_t, flock::kDatagramSizeMax> datagram;
    flock::Writer body(std::span<std::uint8_t>(datagram).subspan(flock::kHeaderSize));
    flock::Beat beat = insider.HonestBeat();
    beat.incarnation = 1;
    Encode(beat, body);
    const flock::Header header{flock::PacketType::kGroup, tag, victim, GetParam()};
    flock::Writer head(datagram);
    Encode(header, head);
    const flock::MemberId id = cluster.flock(to).self();
    const std::size_t size =
        protection.Seal(*insider.KeyOf(tag), header, {id, cluster.charter().ranges.At(id.slot)},
                        datagram, body.size());
    if (cluster.Inject(cluster.slot(leader), to, std::span(datagram).first(size))) ++taken;
  }
  EXPECT_EQ(taken, 8);
  for (int second = 0; second < 60; ++second) {
    cluster.RunFor(1s);
    ASSERT_EQ(cluster.Leader(), leader) << second;
  }
  EXPECT_EQ(suffered, 0);
  EXPECT_TRUE(cluster.OneView());
  EXPECT_TRUE(cluster.Violations().empty());
}

INSTANTIATE_TEST_SUITE_P(Counters, ForgedAddressTest,
                         testing::Values(flock::ReplayWindow::kCounterMax - 7, 3000));

}  // namespace
}  // namespace radix::fuzz
