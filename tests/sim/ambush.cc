#include "tests/sim/ambush.h"

#include <algorithm>
#include <utility>

namespace radix::sim {
namespace {

// How long a bloc is left alone: no longer than a lease lasts, so that a change of leaders is under
// way; or as long as it takes to lose one and to win another.
constexpr Duration kQuietLeast = 200ms;
constexpr Duration kQuietMost = 3s;
constexpr Duration kSealedMost = 5s;

}  // namespace

Ambush::Ambush(Cluster& cluster, Random& random) : cluster_(cluster), random_(random.Next()) {}

void Ambush::Strike(Instant end) {
  if (struck_ && random_.Chance(0.9)) {
    Ease();
    if (!cluster_.Leader() && random_.Chance(0.6)) AwaitSealing(end);
  }
  struck_ = true;
  const std::size_t victim = Victim();
  switch (random_.Below(12)) {
    case 0:
      RebootOthers(victim);  // the most that there is to simulate
      break;
    case 1:
    case 2:
    case 3:
      StopIt(victim);
      break;
    case 4:
    case 5:
    case 6:
      Isolate(victim);
      break;
    default:
      Divide(victim);
  }
  Await(end);
}

void Ambush::Await(Instant end) {
  if (random_.Chance(0.7)) return AwaitSealing(end);
  RunFor(random_.Between(kQuietLeast, kQuietMost), end);
}

// And a moment more.
void Ambush::AwaitSealing(Instant end) {
  const std::uint64_t before = cluster_.invariants().sealings();
  cluster_.RunUntilTrue([&] { return cluster_.invariants().sealings() > before; },
                        std::min<Duration>(end - cluster_.now(), kSealedMost));
  RunFor(random_.Between(0ms, 1s), end);
}

void Ambush::RunFor(Duration duration, Instant end) {
  cluster_.RunFor(std::min<Duration>(end - cluster_.now(), duration));
}

void Ambush::Ease() {
  cluster_.network().Heal();
  // Two halves of all count only while all are up.
  const double share = random_.Chance(0.5) ? 1 : 0.8;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.up(i)) {
      if (random_.Chance(share)) cluster_.Boot(i);
    } else if (random_.Chance(share)) {
      cluster_.Resume(i);
    }
  }
}

std::size_t Ambush::Victim() {
  const auto leader = cluster_.Leader();
  if (leader && !random_.Chance(0.15)) return *leader;
  const std::size_t asked = AnyNode();
  if (!cluster_.up(asked)) return asked;
  const std::uint32_t slot = cluster_.flock(asked).provisional_leader().slot;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.slot(i) == slot) return i;
  }
  return asked;
}

void Ambush::StopIt(std::size_t victim) {
  if (!cluster_.up(victim)) return cluster_.Boot(victim);
  if (random_.Chance(0.4)) return cluster_.Pause(victim);
  cluster_.Crash(victim);
  if (random_.Chance(0.5)) cluster_.Boot(victim);
}

// From all others, or from about half of them: it does not hear them, they do not hear it, or both.
void Ambush::Isolate(std::size_t victim) {
  const bool from_all = random_.Chance(0.5);
  const std::uint64_t shape = random_.Below(3);
  for (const std::size_t other : OthersThan(victim)) {
    if (!from_all && random_.Chance(0.5)) continue;
    if (shape != 0) cluster_.network().Cut(other, victim);
    if (shape != 1) cluster_.network().Cut(victim, other);
  }
}

// Into two parts. The victim's is just a quorum; or the other one is; or both are halves; or they
// are of any size.
void Ambush::Divide(std::size_t victim) {
  const std::size_t quorum = cluster_.charter().quorum;
  const std::size_t sizes[] = {quorum, cluster_.size() - quorum, cluster_.size() / 2,
                               1 + static_cast<std::size_t>(random_.Below(cluster_.size()))};
  const std::size_t with_it = sizes[random_.Below(4)];
  std::vector<std::size_t> others = OthersThan(victim);
  random_.Shuffle(others);
  std::vector<std::uint8_t> side(cluster_.size(), 1);
  side[victim] = 0;
  for (std::size_t i = 0; i + 1 < with_it && i < others.size(); ++i) side[others[i]] = 0;
  cluster_.network().Partition(std::move(side), random_.Chance(0.15));
}

// The victim is cut off, and most of those who may have granted it a lease boot anew.
void Ambush::RebootOthers(std::size_t victim) {
  Isolate(victim);
  for (const std::size_t other : OthersThan(victim)) {
    if (!cluster_.up(other) || random_.Chance(0.2)) continue;
    cluster_.Crash(other);
    cluster_.Boot(other);
  }
}

std::vector<std::size_t> Ambush::OthersThan(std::size_t node) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (i != node) others.push_back(i);
  }
  return others;
}

}  // namespace radix::sim
