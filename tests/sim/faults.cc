#include "tests/sim/faults.h"

#include <algorithm>
#include <vector>

namespace radix::sim {

Faults::Faults(Cluster& cluster) : cluster_(cluster), random_(cluster.random().Next()) {
  pace_ = random_.Between(50ms, 1500ms);
  for (double& weight : weights_) {
    weight = random_.Chance(0.3) ? 0 : static_cast<double>(1 + random_.Below(4));
  }
}

void Faults::Aim(double share) {
  ambush_.emplace(cluster_, random_);
  aimed_ = share;
}

void Faults::Run(Duration duration) {
  const Instant end = cluster_.now() + duration;
  while (cluster_.now() < end) {
    if (ambush_ && random_.Chance(aimed_)) {
      ambush_->Strike(end);
      continue;
    }
    cluster_.RunFor(std::min(end - cluster_.now(), random_.Between(pace_ / 4, pace_ * 2)));
    MakeOne();
  }
}

void Faults::MakeOne() {
  double sum = 0;
  for (const double weight : weights_) sum += weight;
  double drawn = static_cast<double>(random_.Below(1000000)) / 1e6 * sum;
  std::size_t kind = 0;
  while (kind < 4 && drawn >= weights_[kind]) drawn -= weights_[kind++];
  switch (kind) {
    case 0:
      return CrashOrBoot();
    case 1:
      return PauseOrResume();
    case 2:
      return Part();
    case 3:
      return CutLinks();
    default:
      return Worsen();
  }
}

void Faults::CrashOrBoot() {
  const std::size_t node = random_.Chance(0.4) ? cluster_.Leader().value_or(AnyNode()) : AnyNode();
  if (!cluster_.up(node)) {
    cluster_.Boot(node);
  } else if (random_.Chance(0.3)) {
    cluster_.Crash(node);
    cluster_.Boot(node);  // at once, as a supervisor does
  } else if (random_.Chance(0.1)) {
    cluster_.Leave(node);
  } else {
    cluster_.Crash(node);
  }
}

void Faults::PauseOrResume() {
  const std::size_t node = random_.Chance(0.4) ? cluster_.Leader().value_or(AnyNode()) : AnyNode();
  if (!cluster_.up(node)) return;
  if (cluster_.paused(node)) {
    cluster_.Resume(node);
  } else {
    cluster_.Pause(node);
  }
}

void Faults::Part() {
  cluster_.network().Heal();
  if (random_.Chance(0.3)) return;
  std::vector<std::uint8_t> side(cluster_.size());
  const std::uint64_t parts = random_.Chance(0.8) ? 2 : 3;
  for (std::uint8_t& s : side) s = static_cast<std::uint8_t>(random_.Below(parts));
  cluster_.network().Partition(side, random_.Chance(0.4));
}

void Faults::CutLinks() {
  if (random_.Chance(0.3)) return cluster_.network().Heal();
  const std::size_t node = random_.Chance(0.5) ? cluster_.Leader().value_or(AnyNode()) : AnyNode();
  const std::uint64_t shape = random_.Below(4);
  for (std::size_t other = 0; other < cluster_.size(); ++other) {
    if (other == node || (shape == 3 && random_.Chance(0.5))) continue;
    if (shape == 0 || shape == 2 || shape == 3) cluster_.network().Cut(node, other);
    if (shape == 1 || shape == 2) cluster_.network().Cut(other, node);
  }
}

void Faults::Worsen() {
  NetworkOptions& options = cluster_.network().options();
  static constexpr double kLosses[] = {0, 0.01, 0.1, 0.3, 0.5};
  options.loss = kLosses[random_.Below(5)];
  options.delay_probability = random_.Chance(0.5) ? 0.02 : 0.3;
}

void Faults::Stop() {
  NetworkOptions& options = cluster_.network().options();
  options.loss = 0.01;
  options.delay_probability = 0.01;
  options.delay_most = 20ms;
  cluster_.network().Heal();
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.up(i)) {
      cluster_.Boot(i);
    } else {
      cluster_.Resume(i);
    }
  }
}

}  // namespace radix::sim
