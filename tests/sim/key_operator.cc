#include "tests/sim/key_operator.h"

#include "services/flock/secondary_ring.h"

namespace radix::sim {

using flock::KeyOrder;
using flock::KeyReport;
using flock::KeyResult;
using flock::KeyStep;

KeyOperator::KeyOperator(Cluster& cluster) : cluster_(cluster) {
  cluster_.on_key_answer = [this](std::size_t, const flock::KeyAnswer& answer) {
    if (answer.id == awaited_) answer_ = answer.report;
  };
}

std::size_t KeyOperator::AnyNode() {
  for (;;) {
    const std::size_t i = cluster_.random().Below(cluster_.size());
    if (cluster_.up(i) && !cluster_.paused(i)) return i;
  }
}

KeyReport KeyOperator::Ask(std::size_t i, const KeyOrder& order) {
  answer_.reset();
  awaited_ = cluster_.OrderKeys(i, order);
  cluster_.RunUntilTrue([&] { return answer_.has_value() || !cluster_.up(i); }, Duration(6s));
  return answer_.value_or(KeyReport{});
}

bool KeyOperator::Do(KeyStep step, std::uint32_t from, Duration limit) {
  const Instant end = cluster_.now() + limit;
  while (cluster_.now() < end) {
    if (Ask(AnyNode(), {step, from, false, 0}).result == KeyResult::kDone) {
      while (cluster_.now() < end) {
        const KeyReport report = Ask(AnyNode(), {});
        if (report.result == KeyResult::kDone && report.acknowledged == report.members) return true;
        cluster_.RunFor(100ms);
      }
    }
    cluster_.RunFor(100ms);
  }
  return false;
}

bool KeyOperator::Rotate(Duration limit) {
  const std::uint32_t from = CurrentKey();
  return Do(KeyStep::kInstall, from, limit) && Do(KeyStep::kUse, from, limit) &&
         Do(KeyStep::kRemove, from, limit);
}

std::uint32_t KeyOperator::CurrentKey() const {
  return cluster_.flock(*cluster_.Leader()).secondary_key_id();
}

bool KeyOperator::OneRing() const {
  std::optional<std::vector<flock::Key>> common;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.up(i)) continue;
    const std::vector<flock::Key> keys = cluster_.flock(i).secondary_keys();
    if (!common) common = keys;
    if (keys != *common || cluster_.key_file(i) != *common) return false;
  }
  return true;
}

}  // namespace radix::sim
