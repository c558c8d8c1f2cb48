// Trials of what a member may do that says, to each under the key that the two share, what only a
// leader says; or takes the place of another.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "tests/sim/insider.h"
#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
namespace {

constexpr Duration kBetweenLies = 250ms;

// A bloc with a leader, and a member of it that lies.
class Stage {
 public:
  explicit Stage(const ClusterOptions& options) : cluster_(options) {}

  // The first `nodes` boot and settle; then the others.
  void Settle(std::size_t nodes) {
    for (std::size_t i = 0; i < nodes; ++i) cluster_.Boot(i);
    cluster_.RunUntilTrue([&] { return cluster_.OneLeader(); }, kLimit);
    cluster_.RunFor(2s);
    for (std::size_t i = nodes; i < cluster_.size(); ++i) cluster_.Boot(i);
    cluster_.RunFor(5s);
    leader_ = cluster_.Leader().value_or(0);
    epoch_ = cluster_.flock(leader_).promise().epoch;
  }

  void Corrupt(std::size_t liar) {
    liar_ = liar;
    insider_.emplace(cluster_, liar);
    cluster_.lets_pass = [this](std::size_t from, std::size_t to, Bytes datagram) {
      return from != liar_ || insider_->NoteSent(to, datagram);
    };
    cluster_.on_deliver = [this](std::uint32_t, std::size_t to, Bytes datagram, bool) {
      if (to == liar_) insider_->NoteReceived(datagram);
    };
    cluster_.RunFor(1s);
    insider_->AskForKeys();
    cluster_.RunFor(2s);
  }

  // Lies for so long, or until `harm` is done; which it returns.
  bool Lie(Duration length, const std::function<void(Insider&)>& lie,
           const std::function<bool()>& harm) {
    const Instant end = cluster_.now() + length;
    while (cluster_.now() < end && !harm()) {
      lie(*insider_);
      cluster_.RunFor(kBetweenLies);
    }
    return harm();
  }

  // Whether somebody up, but the liar, is like that.
  bool Any(const std::function<bool(flock::Flock&, Instant now)>& is) {
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      if (i != liar_ && cluster_.up(i) && is(cluster_.flock(i), cluster_.LocalNow(i))) return true;
    }
    return false;
  }

  // Whether somebody takes the liar for the leader, which it is not.
  bool IsBelieved() {
    const flock::MemberId liar = cluster_.flock(liar_).self();
    return cluster_.Leader() != liar_ && Any([&](flock::Flock& flock, Instant now) {
             const auto leader = flock.sealed_leader(now);
             return leader && leader->leader == liar;
           });
  }

  std::string NobodyListened() const { return insider_->lies() > 0 ? "" : "nobody listened"; }

  Cluster& cluster() { return cluster_; }
  std::size_t leader() const { return leader_; }
  std::uint64_t epoch() const { return epoch_; }

 private:
  Cluster cluster_;
  std::optional<Insider> insider_;
  std::size_t leader_ = 0;
  std::size_t liar_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace

std::string AMemberSaysThatItLeads(std::uint64_t seed) {
  Stage stage(Nodes(6, seed));
  stage.Settle(6);
  stage.Corrupt((stage.leader() + 1) % 6);
  const std::uint64_t epoch = stage.epoch() + 10;
  const auto stays = [&] {
    const auto own = stage.cluster()
                         .flock(stage.leader())
                         .own_leadership(stage.cluster().LocalNow(stage.leader()));
    return own && own->epoch == stage.epoch();
  };
  stage.Lie(
      6s, [&](Insider& insider) { insider.SayItLeads(epoch, epoch); },
      [&] { return stage.IsBelieved() || !stays(); });
  if (!stays()) return kLostLeadership;
  return stage.IsBelieved() ? kFalseLeader : stage.NobodyListened();
}

// It waits for the leader to crash.
std::string AMemberWithoutAVoteSaysThatItLeads(std::uint64_t seed) {
  ClusterOptions options = Nodes(4, seed);
  options.at_most = 3;
  Stage stage(options);
  stage.Settle(3);
  stage.Corrupt(3);
  stage.cluster().Crash(stage.leader());
  const std::uint64_t epoch = stage.epoch() + 10;
  const bool harm = stage.Lie(
      6s, [&](Insider& insider) { insider.SayItLeads(epoch, epoch); },
      [&] { return stage.IsBelieved(); });
  return harm ? kFalseLeader : stage.NobodyListened();
}

// It says that it leads, and asks in such a way that nobody can grant it anything.
std::string AMemberHoldsUpALeader(std::uint64_t seed) {
  Stage stage(Nodes(5, seed));
  stage.Settle(5);
  stage.Corrupt((stage.leader() + 1) % 5);
  stage.cluster().Crash(stage.leader());
  const bool led = stage.Lie(
      25s, [](Insider& insider) { insider.SayItLeads(1, 1); },
      [&] { return stage.cluster().Leader().has_value(); });
  return led ? stage.NobodyListened() : kNoLeader;
}

std::string ALeaderAsksForAnAbsurdEpoch(std::uint64_t seed) {
  Stage stage(Nodes(5, seed));
  stage.Settle(5);
  stage.Corrupt(stage.leader());
  const auto harm = [&] {
    return stage.Any(
        [](flock::Flock& flock, Instant) { return flock.promise().epoch > flock::kEpochMax / 2; });
  };
  const bool done = stage.Lie(
      2s, [](Insider& insider) { insider.SayItLeads(1, flock::kEpochMax); }, harm);
  return done ? kEpochsUsedUp : stage.NobodyListened();
}

std::string AMemberTellsAList(std::uint64_t seed) {
  Stage stage(Nodes(5, seed));
  stage.Settle(5);
  stage.Corrupt((stage.leader() + 1) % 5);
  const auto harm = [&] {
    return stage.Any([](flock::Flock& flock, Instant) { return !flock.has_vote(); });
  };
  const bool done = stage.Lie(
      2s, [&](Insider& insider) { insider.TellList(stage.epoch()); }, harm);
  return done ? kLostVotes : stage.NobodyListened();
}

std::string ALeaderTellsForeignKeys(std::uint64_t seed) {
  Stage stage(Nodes(5, seed));
  stage.Settle(5);
  stage.Corrupt(stage.leader());
  std::uint32_t told = 0;
  const auto harm = [&] {
    return stage.Any(
        [&](flock::Flock& flock, Instant) { return flock.secondary_key_id() == told; });
  };
  const bool done = stage.Lie(
      2s,
      [&](Insider& insider) {
        told = insider.told_key();
        insider.TellKeys(stage.epoch());
      },
      harm);
  return done ? kForeignSecondary : stage.NobodyListened();
}

std::string AMemberTakesTheIdentityOfAnother(std::uint64_t seed) {
  constexpr std::size_t kVictim = 0;
  constexpr std::size_t kLiar = 1;
  Stage stage(Nodes(6, seed));
  stage.Settle(6);
  stage.Corrupt(kLiar);
  const flock::MemberId id = stage.cluster().flock(kVictim).self();
  const std::uint64_t stolen = flock::FingerprintOf(stage.cluster().flock(kLiar).public_key());
  const auto harm = [&] {
    return stage.Any([&](flock::Flock& flock, Instant now) {
      return std::ranges::any_of(flock.Members(now), [&](const flock::MemberView& member) {
        return member.id == id && member.fingerprint == stolen;
      });
    });
  };
  const bool done = stage.Lie(
      2s, [](Insider& insider) { insider.TakeIdentity(kVictim); }, harm);
  return done ? kTakenIdentity : stage.NobodyListened();
}

}  // namespace radix::sim
