// Trials of what a member that lies may do.

#include <cstddef>
#include <functional>
#include <string>

#include "tests/sim/insider.h"
#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

// Somebody who is well is off somebody's list, after one member told lies to all who hear it, and
// some who hear nobody else: `lie` is called every 50 ms for a while. Not for 3 s: who hears nobody
// but a liar for so long takes those whom the liar invented for members (DESIGN.md, known limits).
std::string Lies(std::uint64_t seed, Duration length,
                 const std::function<void(Insider&, std::size_t victim)>& lie) {
  constexpr std::size_t kVictim = 0;
  constexpr std::size_t kLiar = 1;
  Cluster cluster(Nodes(24, seed));
  Lead(cluster);
  cluster.RunFor(3s);
  Insider insider(cluster, kLiar);
  bool gone = false;
  cluster.on_event = [&](std::size_t, const flock::Event& event) {
    const flock::MemberId victim = cluster.flock(kVictim).self();
    gone = gone || ((event.kind == EventKind::kDied || event.kind == EventKind::kLeft) &&
                    event.subject == victim);
    gone = gone || (event.kind == EventKind::kJoined && event.value == victim.boot &&
                    event.evidence == flock::Evidence::kReplacedByBoot);
  };
  cluster.lets_pass = [&](std::size_t from, std::size_t to, Bytes datagram) {
    return from != kLiar || insider.NoteSent(to, datagram);
  };
  cluster.on_deliver = [&](std::uint32_t, std::size_t to, Bytes datagram, bool) {
    if (to == kLiar) insider.NoteReceived(datagram);
  };
  insider.AskForKeys();
  cluster.RunFor(2s);
  // One hears only the liar from now on: no refutation reaches it.
  for (std::size_t other = 0; other < cluster.size(); ++other) {
    if (other != kLiar && other != 2) CutBoth(cluster, other, 2);
  }
  const Instant end = cluster.now() + length;
  for (; cluster.now() < end; cluster.RunFor(50ms)) lie(insider, kVictim);
  return gone ? kOffTheList : "";
}

}  // namespace

std::string OneMemberAccuses(std::uint64_t seed) {
  return Lies(seed, 2500ms,
              [](Insider& insider, std::size_t victim) { insider.AccuseSigned(victim); });
}

std::string OneMemberAccusesInOthersNames(std::uint64_t seed) {
  return Lies(seed, 2500ms,
              [](Insider& insider, std::size_t victim) { insider.AccuseInOthersNames(victim); });
}

std::string InventedMembersAccuse(std::uint64_t seed) {
  return Lies(seed, 2500ms, [](Insider& insider, std::size_t victim) {
    insider.InventMembers();
    insider.AccuseByGhosts(victim);
  });
}

std::string AnotherSaysGoodBye(std::uint64_t seed) {
  return Lies(seed, 500ms,
              [](Insider& insider, std::size_t victim) { insider.SayGoodBye(victim); });
}

std::string AnotherBootIsInvented(std::uint64_t seed) {
  return Lies(seed, 500ms,
              [](Insider& insider, std::size_t victim) { insider.SayReplaced(victim); });
}

// Everybody follows a leader; one member hands a ring to who asks it.
std::string AnotherHandsOutKeys(std::uint64_t seed) {
  Cluster cluster(Nodes(6, seed));
  const std::size_t leader = Lead(cluster);
  cluster.RunFor(3s);
  const std::size_t liar = (leader + 1) % cluster.size();
  Insider insider(cluster, liar);
  cluster.lets_pass = [&](std::size_t from, std::size_t to, Bytes datagram) {
    return from != liar || insider.NoteSent(to, datagram);
  };
  cluster.on_deliver = [&](std::uint32_t, std::size_t to, Bytes datagram, bool) {
    if (to == liar) insider.NoteReceived(datagram);
  };
  cluster.RunFor(1s);
  insider.AskForKeys();
  cluster.RunFor(2s);
  insider.OfferRing();
  for (int i = 0; i < 20; ++i) {
    cluster.RunFor(50ms);
    insider.AnswerHellos();
  }
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (insider.Offered(cluster.flock(i).transient_key_id())) return kForeignKey;
  }
  return insider.lies() > 0 ? "" : "nobody listened";
}

}  // namespace radix::sim
