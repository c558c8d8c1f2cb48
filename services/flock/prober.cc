#include "services/flock/prober.h"

#include <algorithm>

namespace radix::flock {
namespace {

constexpr std::uint32_t kTries = 3;
constexpr std::uint32_t kHealthMax = 8;
constexpr int kCandidates = 3;
// A node that boots knows few, and thousands that boot at once know the same few: it lets them be
// until it knows more.
constexpr Duration kSettlesIn = 1s;
// How far from one that does not answer those beside it are sought, in slots; and how many may be
// under way.
constexpr std::uint32_t kBesideFar = 64;
constexpr std::size_t kBesideMax = 16;
// Nobody looks at those that were replaced while so many probes are under way.
constexpr std::size_t kLooksMax = 16;

}  // namespace

Prober::Prober(const Tunables& tunables, Instant now, Random& random)
    : tunables_(tunables),
      next_probe_(now + kSettlesIn + random.Between(0ms, tunables.probe_interval)) {}

const Member* Prober::Choose(const MemberTable& members, std::uint32_t self, Random& random) const {
  const Member* chosen = nullptr;
  Instant chosen_heard_at;
  for (int i = 0, draws = 0; i < kCandidates && draws < 4 * kCandidates; ++draws) {
    const Member& member = members.at(random.Below(members.size()));
    if (member.slot == self || !IsLive(member.state)) continue;
    ++i;
    const bool under_way =
        std::ranges::any_of(probes_, [&](const Probe& p) { return p.target == member.id(); });
    const Instant heard_at = members.ContactOf(member).heard_at;
    if (under_way || (chosen != nullptr && heard_at >= chosen_heard_at)) continue;
    chosen = &member;
    chosen_heard_at = heard_at;
  }
  return chosen;
}

ProbeStep Prober::Advance(Probe& probe, Instant now) {
  static constexpr ProbeStep::Kind kSteps[] = {ProbeStep::Kind::kDirect, ProbeStep::Kind::kIndirect,
                                               ProbeStep::Kind::kDoor};
  const ProbeStep step{kSteps[probe.tries], probe.target, probe.sequence};
  // Who only sees for itself has others beside it that do.
  probe.tries = probe.confirms ? probe.tries + 2 : probe.tries + 1;
  probe.due = now + Stretched(tunables_.probe_timeout);
  return step;
}

void Prober::LookBeside(const MemberTable& members, std::uint32_t self, std::uint32_t slot,
                        Instant now) {
  const auto wanted = [&](std::uint32_t at) {
    const Member* const member = at == self ? nullptr : members.Find(at);
    return member != nullptr && member->state == MemberState::kAlive &&
           std::ranges::count(probes_, member->id(), &Probe::target) == 0;
  };
  for (const bool up : {false, true}) {
    for (std::uint32_t far = 1; far <= kBesideFar && probes_.size() < kBesideMax; ++far) {
      if (up ? slot + far >= members.slots() : far > slot) break;
      const std::uint32_t at = up ? slot + far : slot - far;
      if (!wanted(at)) continue;
      probes_.push_back({members.Find(at)->id(), ++sequence_, 0, 0, now, now});
      break;
    }
  }
}

std::optional<ProbeStep> Prober::Poll(const MemberTable& members, std::uint32_t self, Instant now,
                                      Random& random) {
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    Relay& relay = relays_[i];
    if (!relay.sent) {
      relay.sent = true;
      return ProbeStep{ProbeStep::Kind::kRelayed, relay.target, relay.sequence};
    }
    if (relay.due <= now) {
      const ProbeStep step{ProbeStep::Kind::kReport, relay.requester, relay.requested};
      relays_.erase(relays_.begin() + static_cast<std::ptrdiff_t>(i));
      return step;
    }
  }
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    Probe& probe = probes_[i];
    if (probe.due > now) continue;
    const Member* const target = members.Find(probe.target.slot);
    if (target == nullptr || target->id() != probe.target ||
        members.ContactOf(*target).heard_at > probe.since) {
      probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i--));
      continue;
    }
    if (probe.tries < kTries) {
      const bool others_too = probe.reports > 0 && health_ == 0 && !probe.confirms;
      const ProbeStep step = Advance(probe, now);
      if (others_too) LookBeside(members, self, step.target.slot, now);
      return step;
    }
    // Relays that report, even of failure, say that it is not this node that is sick.
    if (probe.reports == 0 && members.live_count() > 2 && !probe.confirms) {
      health_ = std::min(health_ + 1, kHealthMax);
    }
    ProbeStep step{ProbeStep::Kind::kAccuse, probe.target, probe.sequence, probe.through,
                   probe.confirms};
    step.probes.relay_failures = static_cast<std::uint8_t>(std::min(probe.reports, 255U));
    probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
    return step;
  }
  if (now < next_probe_) return std::nullopt;
  const Duration interval = Stretched(tunables_.probe_interval);
  next_probe_ = now + random.Between(interval * 9 / 10, interval * 11 / 10);
  const Member* const target = Choose(members, self, random);
  if (target == nullptr) return std::nullopt;
  probes_.push_back({target->id(), ++sequence_, 0, 0, now, now});
  return Advance(probes_.back(), now);
}

std::size_t Prober::confirmations_left() const {
  return kConfirmationsMax -
         static_cast<std::size_t>(std::ranges::count(probes_, true, &Probe::confirms));
}

void Prober::Confirm(const MemberId& target, Instant now) {
  if (std::ranges::count(probes_, target, &Probe::target) > 0) return;
  Probe probe{target, ++sequence_, 0, 0, now, now};
  probe.confirms = true;
  probes_.push_back(probe);
}

void Prober::LookAt(const MemberId& target, Instant now) {
  if (probes_.size() >= kLooksMax || std::ranges::count(probes_, target, &Probe::target) > 0)
    return;
  probes_.push_back({target, ++sequence_, 0, 0, now, now + Stretched(tunables_.probe_timeout)});
}

std::optional<ProbeStep> Prober::HandleAck(const MemberId& from, std::uint32_t sequence) {
  const auto probe = std::ranges::find_if(
      probes_, [&](const Probe& p) { return p.target == from && p.sequence == sequence; });
  if (probe != probes_.end()) {
    if (health_ > 0) --health_;
    probes_.erase(probe);
    return std::nullopt;
  }
  const auto relay = std::ranges::find_if(
      relays_, [&](const Relay& r) { return r.target == from && r.sequence == sequence; });
  if (relay == relays_.end()) return std::nullopt;
  const ProbeStep step{ProbeStep::Kind::kReport, relay->requester, relay->requested};
  relays_.erase(relay);
  return step;
}

void Prober::NoteRelay(std::uint32_t sequence, std::uint32_t relay) {
  const auto probe =
      std::ranges::find_if(probes_, [&](const Probe& p) { return p.sequence == sequence; });
  if (probe != probes_.end()) probe->through.AddRelay(relay);
}

void Prober::HandleReport(std::uint32_t sequence, bool answered) {
  const auto probe =
      std::ranges::find_if(probes_, [&](const Probe& p) { return p.sequence == sequence; });
  if (probe == probes_.end()) return;
  if (answered) {
    probes_.erase(probe);
  } else {
    ++probe->reports;
  }
}

void Prober::HandleRequest(const MemberId& requester, const MemberId& target,
                           std::uint32_t sequence, Instant now) {
  if (relays_.size() >= kRelaysMax) return;
  relays_.push_back(
      {requester, target, sequence, ++sequence_, false, now + tunables_.probe_timeout * 4 / 5});
}

void Prober::Restart(Instant now) {
  probes_.clear();
  relays_.clear();
  next_probe_ = now + tunables_.probe_interval;
}

Instant Prober::next() const {
  Instant next = next_probe_;
  for (const Probe& probe : probes_) next = std::min(next, probe.due);
  for (const Relay& relay : relays_) next = std::min(next, relay.sent ? relay.due : Instant::min());
  return next;
}

}  // namespace radix::flock
