// Leaders and acceptors together, on a network that loses, repeats and reorders, while nodes and
// leaders crash and disks are damaged: what was decided once is in everything that is decided
// later. Mutants, in which one of the rules is missing, show that the test would find out.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/proctor/acceptor.h"
#include "services/proctor/decisions.h"

namespace radix::proctor {
namespace {

constexpr std::size_t kNodes = 5;
constexpr std::size_t kQuorum = 3;
constexpr std::size_t kLostMax = 2;  // at a time, so that a quorum remembers

// Which rule is missing.
enum class Mutant : std::uint8_t {
  kNone,
  kForgets,       // a damaged disk passes for a new one
  kForgetsGrant,  // a node may follow an epoch below one that it promised before the damage
  kTrustsAtOnce,  // a damaged disk counts as soon as its node has promised an epoch again
};

std::string NameOf(std::size_t node) { return std::string(1, static_cast<char>('a' + node)); }

// One life of a leader process.
struct Leader {
  std::uint64_t process = 0;
  std::int64_t epoch = 0;
  std::size_t node = 0;
  Decisions decisions;
  std::array<std::uint64_t, kNodes> links = {};  // the latest of each node
};

// One node: what is on its disk, and the leader process that it follows, if any. Each time that it
// begins to follow one is a link of its own, as a new stream would be. `granted` is flock's, which
// has a file of its own.
struct Node {
  AcceptorState disk;
  int losses = 0;
  std::int64_t granted = 0;
  std::unique_ptr<Acceptor> acceptor;
  std::uint64_t process = 0;
  std::uint64_t link = 0;
};

struct Message {
  enum class Kind : std::uint8_t { kWrite, kAck, kRefusal } kind = Kind::kWrite;
  std::uint64_t process = 0;
  std::int64_t epoch = 0;
  std::size_t node = 0;
  std::uint64_t link = 0;
  Document document;
  std::int64_t promised = 0;
};

class World {
 public:
  explicit World(std::uint64_t seed, Mutant mutant = Mutant::kNone)
      : mutant_(mutant), random_(seed) {
    for (Node& node : nodes_) node.acceptor = std::make_unique<Acceptor>(AcceptorState{});
  }

  // One step of chaos.
  void Step() {
    now_ += 10ms;
    const std::uint64_t dice = random_.Below(1000);
    if (dice < 680) {
      DeliverAny();
    } else if (dice < 780) {
      FollowAny();
    } else if (dice < 880) {
      ProposeAny();
    } else if (dice < 960) {
      for (auto& [process, leader] : leaders_) leader.decisions.HandleTimeout(now_);
    } else if (dice < 970) {
      RestartNode(random_.Below(kNodes));
    } else if (dice < 976) {
      StartLeader(++epoch_, random_.Below(kNodes));
    } else if (dice < 986) {
      RestartLeader();
    } else if (dice < 990 && !leaders_.empty()) {
      leaders_.erase(leaders_.begin());
    } else if (dice < 994) {
      DamageDisk(random_.Below(kNodes));
    } else if (dice < 996 && !leaders_.empty()) {
      DamageDisk(leaders_.rbegin()->second.node);
      RestartLeader();
    }
    CollectAll();
  }

  // The same, but one epoch lasts, and its leader's process and disk fail again and again.
  void StepInOneEpoch() {
    now_ += 10ms;
    if (leaders_.empty()) StartLeader(++epoch_, random_.Below(kNodes));
    const std::uint64_t dice = random_.Below(1000);
    if (dice < 600) {
      DeliverAny();
    } else if (dice < 800) {
      const std::size_t node = random_.Below(kNodes);
      Leader& leader = leaders_.rbegin()->second;
      if (nodes_[node].link == 0 || nodes_[node].link != leader.links[node]) Follow(node, leader);
    } else if (dice < 810) {
      FollowAny();
    } else if (dice < 900) {
      ProposeAny();
    } else if (dice < 975) {
      leaders_.rbegin()->second.decisions.HandleTimeout(now_);
    } else if (dice < 980) {
      RestartLeader();
    } else if (leaders_.rbegin()->second.decisions.in_flight()) {
      DamageDisk(leaders_.rbegin()->second.node);
      RestartLeader();
    }
    CollectAll();
  }

  // The faults end: the last leader must get one more change through, with all that was decided.
  void Settle() {
    faults_ = false;
    leaders_.clear();
    wire_.clear();
    const std::size_t first = random_.Below(kNodes);  // who reports last is not needed any more
    StartLeader(++epoch_, (first + random_.Below(kQuorum)) % kNodes);
    Leader& leader = leaders_.rbegin()->second;
    for (std::size_t node = 0; node < kNodes; ++node) Follow((first + node) % kNodes, leader);
    bool proposed = false;
    for (int step = 0; step < 2000; ++step) {
      now_ += 10ms;
      DeliverAny();
      leader.decisions.HandleTimeout(now_);
      CollectAll();
      if (!proposed && leader.decisions.phase() == Decisions::Phase::kLeading) {
        proposed = leader.decisions.Propose(leader.decisions.decided().body + "last;", now_).ok();
      }
    }
    Check(proposed && !leader.decisions.in_flight() && decided_.rbegin()->second.ends_with("last;"),
          "the last leader decides nothing");
  }

  std::size_t decided_count() const { return decided_.size(); }
  std::size_t damage_count() const { return damages_; }
  const std::string& violation() const { return violation_; }

 private:
  void StartLeader(std::int64_t epoch, std::size_t node) {
    const std::uint64_t process = ++last_process_;
    leaders_.emplace(process, Leader{process,
                                     epoch,
                                     node,
                                     Decisions({.epoch = epoch,
                                                .own_slot = NameOf(node),
                                                .quorum = kQuorum,
                                                .resend_interval = 300ms}),
                                     {}});
  }

  // The newest leader's process crashes and comes back, under the same epoch.
  void RestartLeader() {
    if (leaders_.empty()) return;
    const Leader& last = leaders_.rbegin()->second;
    const auto [epoch, node] = std::pair(last.epoch, last.node);
    leaders_.erase(last.process);
    StartLeader(epoch, node);
  }

  void RestartNode(std::size_t index) {
    Node& node = nodes_[index];
    Unfollow(index);
    node.acceptor = std::make_unique<Acceptor>(node.disk);
  }

  // The node finds its disk damaged when it starts again. Whatever was sent to it before has ended
  // with its links.
  void DamageDisk(std::size_t index) {
    const auto lost = std::count_if(nodes_.begin(), nodes_.end(),
                                    [](const Node& node) { return node.disk.losses > 0; });
    Node& node = nodes_[index];
    if (static_cast<std::size_t>(lost) >= kLostMax || node.losses == kLossesMax) return;
    ++damages_;
    ++node.losses;
    node.disk = {0, {}, mutant_ == Mutant::kForgets ? 0 : node.losses};
    if (mutant_ == Mutant::kForgetsGrant) node.granted = 0;
    std::erase_if(wire_, [index](const Message& message) {
      return message.kind == Message::Kind::kWrite && message.node == index;
    });
    RestartNode(index);
  }

  void Unfollow(std::size_t index) {
    Node& node = nodes_[index];
    auto old = leaders_.find(node.process);
    if (old != leaders_.end() && random_.Chance(0.5)) {  // else it has not noticed yet
      old->second.decisions.HandleDisconnect(NameOf(index));
    }
    node.process = 0;
    node.link = 0;
  }

  void FollowAny() {
    if (leaders_.empty()) return;
    auto leader = leaders_.rbegin();
    if (random_.Chance(0.2)) std::advance(leader, random_.Below(leaders_.size()));
    Follow(random_.Below(kNodes), leader->second);
  }

  void Follow(std::size_t index, Leader& leader) {
    Unfollow(index);
    Node& node = nodes_[index];
    if (leader.epoch < node.granted) return;
    node.granted = leader.epoch;
    const Acceptor::Step step = node.acceptor->Prepare(leader.epoch);
    if (step.answer != Acceptor::Answer::kPromised || !Persist(node, step)) return;
    node.process = leader.process;
    node.link = ++last_link_;
    leader.links[index] = node.link;
    // The first message of a link cannot be overtaken or lost without the link.
    const int losses = mutant_ == Mutant::kTrustsAtOnce ? 0 : node.acceptor->losses();
    leader.decisions.HandleReport(NameOf(index), {node.acceptor->document(), losses}, now_);
  }

  bool Persist(Node& node, const Acceptor::Step& step) {
    if (!step.persist) return true;
    if (faults_ && random_.Chance(0.05)) return false;  // the disk is full
    node.disk = *step.persist;
    node.acceptor->Commit(*step.persist);
    if (!faults_ || !random_.Chance(0.05)) return true;
    node.acceptor = std::make_unique<Acceptor>(node.disk);  // crashed before the answer left
    node.link = 0;
    return false;
  }

  void ProposeAny() {
    if (leaders_.empty()) return;
    auto leader = leaders_.begin();
    std::advance(leader, random_.Below(leaders_.size()));
    Decisions& decisions = leader->second.decisions;
    if (decisions.phase() != Decisions::Phase::kLeading || decisions.in_flight()) return;
    EXPECT_TRUE(
        decisions.Propose(decisions.decided().body + std::to_string(++last_change_) + ";", now_)
            .ok());
  }

  void Post(const Message& message) {
    if (faults_ && random_.Chance(0.1)) return;
    wire_.push_back(message);
    if (faults_ && random_.Chance(0.1)) wire_.push_back(message);
  }

  void DeliverAny() {
    if (wire_.empty()) return;
    const std::size_t index = random_.Below(wire_.size());
    const Message message = wire_[index];
    wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(index));
    Node& node = nodes_[message.node];
    const auto leader = leaders_.find(message.process);
    // What was on its way over an earlier link may still arrive, but not from the process, nor from
    // an earlier one of the epoch, that the node follows now: a link closes before the next opens.
    const auto followed = leaders_.find(node.process);
    if (message.link != node.link && followed != leaders_.end() &&
        followed->second.epoch == message.epoch) {
      return;
    }
    if (message.kind == Message::Kind::kWrite) {
      TakeWrite(node, message);
    } else if (leader != leaders_.end() && message.kind == Message::Kind::kAck) {
      leader->second.decisions.HandleAck(NameOf(message.node), message.document.epoch,
                                         message.document.revision, message.document.checksum,
                                         now_);
    } else if (leader != leaders_.end()) {
      leader->second.decisions.HandleRefusal(NameOf(message.node), message.promised);
    }
  }

  void TakeWrite(Node& node, Message message) {
    const Acceptor::Step step = node.acceptor->Write(message.document);
    if (!Persist(node, step)) return;
    const bool accepted = step.answer == Acceptor::Answer::kAccepted;
    message.kind = accepted ? Message::Kind::kAck : Message::Kind::kRefusal;
    message.promised = node.acceptor->promised();
    Post(message);
  }

  void CollectAll() {
    for (auto& [process, leader] : leaders_) {
      while (auto write = leader.decisions.PollWrite()) {
        const auto node = static_cast<std::size_t>(write->slot[0] - 'a');
        Post({Message::Kind::kWrite, process, leader.epoch, node, leader.links[node],
              write->document, 0});
      }
      if (leader.decisions.phase() == Decisions::Phase::kLeading) {
        CheckDecided(leader.decisions.decided());
      }
    }
  }

  // All decided documents are one chain: each begins with the one before.
  void CheckDecided(const Document& document) {
    const auto key = std::pair(document.epoch, document.revision);
    const auto [here, inserted] = decided_.emplace(key, document.body);
    Check(here->second == document.body, "two documents under one epoch and revision");
    if (!inserted) return;
    if (here != decided_.begin()) {
      const std::string& before = std::prev(here)->second;
      Check(document.body.starts_with(before), "lost: " + before + " is not in " + document.body);
    }
    if (auto after = std::next(here); after != decided_.end()) {
      Check(after->second.starts_with(document.body), "lost: " + document.body);
    }
  }

  void Check(bool holds, const std::string& otherwise) {
    if (!holds && violation_.empty()) violation_ = otherwise;
  }

  const Mutant mutant_;
  Random random_;
  Instant now_ = Instant() + 1h;
  bool faults_ = true;
  std::int64_t epoch_ = 0;
  std::uint64_t last_process_ = 0;
  std::uint64_t last_link_ = 0;
  std::uint64_t last_change_ = 0;
  std::array<Node, kNodes> nodes_;
  std::map<std::uint64_t, Leader> leaders_;  // by process; all those that run
  std::vector<Message> wire_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> decided_;
  std::size_t damages_ = 0;
  std::string violation_;  // the first
};

// One world from its beginning to its end; ends early when something was lost.
World Live(std::uint64_t seed, Mutant mutant = Mutant::kNone) {
  World world(seed, mutant);
  for (int step = 0; step < 3000 && world.violation().empty(); ++step) world.Step();
  if (world.violation().empty()) world.Settle();
  return world;
}

World LiveOneEpoch(std::uint64_t seed) {
  World world(seed);
  for (int step = 0; step < 500 && world.violation().empty(); ++step) world.StepInOneEpoch();
  if (world.violation().empty()) world.Settle();
  return world;
}

TEST(DecisionsSimulation, WhatWasDecidedIsNeverLost) {
  std::size_t decided = 0;
  std::size_t damages = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    const World world = Live(seed);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
    decided += world.decided_count();
    damages += world.damage_count();
  }
  EXPECT_GT(decided, 10000U) << "the runs decided too little to show anything";
  EXPECT_GT(damages, 5000U) << "the runs damaged too little to show anything";
}

TEST(DecisionsSimulation, NothingIsLostWhileALeadersOwnDiskFailsAgainAndAgain) {
  std::size_t decided = 0;
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    const World world = LiveOneEpoch(seed);
    ASSERT_EQ(world.violation(), "") << "seed " << seed;
    decided += world.decided_count();
  }
  EXPECT_GT(decided, 10000U) << "the runs decided too little to show anything";
}

TEST(DecisionsSimulation, WithoutAnyOfTheRulesSomethingIsLost) {
  for (const Mutant mutant : {Mutant::kForgets, Mutant::kForgetsGrant, Mutant::kTrustsAtOnce}) {
    std::uint64_t seed = 1;
    while (seed <= 2000 && Live(seed, mutant).violation().empty()) ++seed;
    EXPECT_LE(seed, 2000U) << "mutant " << static_cast<int>(mutant) << " was not found out";
  }
}

}  // namespace
}  // namespace radix::proctor
