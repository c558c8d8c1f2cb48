#include "services/flock/secondary_rotation.h"

#include <algorithm>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

// Who did not acknowledge is told again after so long.
constexpr Duration kTellAgain = 500ms;
// So many are told at a time, and the next ones after so long: ten thousand in four seconds.
constexpr std::size_t kTellMost = 128;
constexpr Duration kTellInterval = 50ms;

constexpr Instant kNeverTold{Duration(-1h)};

std::uint32_t TagOf(const SecondaryRing::Entry* entry) { return entry == nullptr ? 0 : entry->tag; }

}  // namespace

void SecondaryRotation::Lead(std::uint64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  revision_ = 0;
  settled_ = false;
  acknowledged_.clear();
}

void SecondaryRotation::HandleAck(const MemberId& member, std::uint32_t version,
                                  const SecondaryRing& ring, Instant now) {
  if (epoch_ == 0) return;
  const auto place = std::ranges::lower_bound(
      acknowledged_, member.slot, {}, [](const Acknowledged& each) { return each.member.slot; });
  const bool listed = place != acknowledged_.end() && place->member.slot == member.slot;
  if (listed && place->member == member) {
    place->version = version;
  } else if (listed) {
    *place = {member, version, kNeverTold};
  } else {
    acknowledged_.insert(place, {member, version, kNeverTold});
  }
  const std::uint32_t ours = ring.version();
  if (version != ours) {
    next_tell_ = std::min(next_tell_, now);
  } else if (!settled_) {
    settled_ = IsBroken(Rule::kReadsKeysBeforeItOrders) ||
               std::ranges::count(acknowledged_, ours, &Acknowledged::version) >=
                   static_cast<std::ptrdiff_t>(quorum_);
  }
}

const SecondaryRotation::Acknowledged* SecondaryRotation::Find(const MemberId& member) const {
  const auto place = std::ranges::lower_bound(
      acknowledged_, member.slot, {}, [](const Acknowledged& each) { return each.member.slot; });
  return place != acknowledged_.end() && place->member == member ? &*place : nullptr;
}

std::size_t SecondaryRotation::CountOf(std::uint32_t version) const {
  return static_cast<std::size_t>(
      std::ranges::count(acknowledged_, version, &Acknowledged::version));
}

KeyReport SecondaryRotation::Execute(const KeyOrder& order, std::span<const MemberId> live,
                                     const Key& random, SecondaryRing& ring) {
  KeyReport report;
  report.result = Do(order, live, random, ring);
  report.epoch = epoch_;
  if (epoch_ == 0) return report;
  report.leader = self_;
  report.phase = ring.phase();
  report.current = ring.current().tag;
  report.previous = TagOf(ring.previous());
  report.next = ring.next() ? ring.next()->tag : 0;
  const std::uint32_t version = ring.version();
  for (const MemberId& member : live) {
    ++report.members;
    if (Has(member, version)) {
      ++report.acknowledged;
    } else if (member.slot >= order.first_slot && report.missing.size() < KeyReport::kMissingMax) {
      report.missing.push_back(member.slot);
    }
  }
  return report;
}

KeyResult SecondaryRotation::Do(const KeyOrder& order, std::span<const MemberId> live,
                                const Key& random, SecondaryRing& ring) {
  if (epoch_ == 0) return KeyResult::kNoLeader;
  if (order.step == KeyStep::kLook) return KeyResult::kDone;
  if (!settled_) return KeyResult::kNotSettled;
  const bool from_current = order.from == ring.current().tag;
  const bool from_previous = order.from != 0 && order.from == TagOf(ring.previous());
  if (!from_current && !from_previous) return KeyResult::kOtherRotation;
  const RotationPhase phase = ring.phase();
  if (order.step == KeyStep::kRemove) {
    if (from_current) return KeyResult::kTooEarly;
    if (phase != RotationPhase::kUsed) return KeyResult::kDone;
  } else {
    if (from_previous) return KeyResult::kDone;
    const bool installed = phase == RotationPhase::kInstalled;
    if (order.step == KeyStep::kInstall && installed) return KeyResult::kDone;
    if (order.step == KeyStep::kUse ? !installed : phase == RotationPhase::kUsed) {
      return KeyResult::kTooEarly;
    }
  }
  const std::uint32_t version = ring.version();
  const auto has = [&](const MemberId& member) { return Has(member, version); };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(live, has));
  if (count < live.size() && !order.force) return KeyResult::kNotAcknowledged;
  if (count < quorum_) return KeyResult::kNoQuorum;
  if (order.step == KeyStep::kInstall) ring.Install(epoch_, random);
  if (order.step == KeyStep::kUse) ring.Use();
  if (order.step == KeyStep::kRemove) ring.Remove();
  ++revision_;
  next_tell_ = Instant{};
  for (Acknowledged& each : acknowledged_) each.told_at = kNeverTold;
  return KeyResult::kDone;
}

std::vector<MemberId> SecondaryRotation::TakeBehind(const SecondaryRing& ring, Instant now) {
  std::vector<MemberId> behind;
  if (epoch_ == 0 || now < next_tell_) return behind;
  const std::uint32_t version = ring.version();
  for (Acknowledged& each : acknowledged_) {
    if (behind.size() == kTellMost) break;
    if (each.version == version || each.member == self_ || now - each.told_at < kTellAgain)
      continue;
    each.told_at = now;
    behind.push_back(each.member);
  }
  next_tell_ = now + (behind.empty() ? kTellAgain : kTellInterval);
  return behind;
}

}  // namespace radix::flock
