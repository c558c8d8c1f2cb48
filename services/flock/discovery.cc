#include "services/flock/discovery.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

// How often a node that knows nobody goes on guessing.
constexpr Duration kLonelyInterval = 150ms;
// The first guesses follow each other as soon as this, each half as much later than the one before.
constexpr Duration kFirstWait = 20ms;
// Guesses that hit somebody known are drawn again, so often.
constexpr int kDraws = 8;
// Who answered and is not known yet is tried so often, first after so long, then each time after
// twice as long. Where datagrams get lost a guess that hit is worth much: in a sparse range the
// next may be seconds away.
constexpr int kAnsweredTries = 4;
constexpr Duration kFirstTry = 200ms;

}  // namespace

Discovery::Discovery(const Tunables& tunables, std::uint32_t slots, std::uint32_t expected,
                     std::uint32_t self, std::vector<std::uint32_t> remembered, Instant now)
    : tunables_(tunables),
      expected_(expected),
      self_(self),
      first_(std::move(remembered)),
      next_(now),
      wait_(kFirstWait) {
  first_.push_back((self_ + slots - 1) % slots);
  first_.push_back((self_ + 1) % slots);
  std::ranges::reverse(first_);
}

std::optional<std::uint32_t> Discovery::Poll(const MemberTable& members, Instant now,
                                             Random& random) {
  if (now < next_ || members.slots() < 2) {
    if (members.slots() < 2) next_ = now + 1h;
    return std::nullopt;
  }
  ++probes_;
  Duration wait = tunables_.discovery_interval;
  if (members.live_count() < expected_ || !first_.empty()) {
    // Who has not found all after the burst goes on, but ever more slowly.
    const Duration pace = Duration(1s) / std::max<std::uint32_t>(tunables_.discovery_burst, 1);
    wait = probes_ <= tunables_.discovery_burst || !first_.empty() ? std::min(wait_, pace) : wait_;
    wait_ = wait < pace ? wait * 3 / 2 : std::min(wait * 5 / 4, tunables_.discovery_interval);
    if (members.live_count() < 2) wait = std::min(wait, kLonelyInterval);
  }
  next_ = now + random.Between(wait * 2 / 3, wait * 4 / 3);
  if (const auto answered = TakeAnswered(members, now)) return answered;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint32_t slot = Guess(members, random);
    const Member* const known = members.Find(slot);
    const bool dead = known != nullptr && !IsLive(known->state);
    if (slot != self_ && (known == nullptr || (dead && !IsBroken(Rule::kTombstonesAreDialled)))) {
      return slot;
    }
  }
  return std::nullopt;
}

void Discovery::HandleAnswer(std::uint32_t slot, Instant now) {
  if (std::ranges::count(answered_, slot, &Answered::slot) > 0) return;
  answered_.push_back({slot, now + kFirstTry});
}

std::optional<std::uint32_t> Discovery::TakeAnswered(const MemberTable& members, Instant now) {
  std::erase_if(answered_, [&](const Answered& answered) {
    const Member* const known = members.Find(answered.slot);
    return answered.tries == kAnsweredTries || (known != nullptr && IsLive(known->state));
  });
  const auto due = std::ranges::find_if(
      answered_, [&](const Answered& answered) { return now >= answered.due; });
  if (due == answered_.end()) return std::nullopt;
  due->due = now + kFirstTry * (2 << due->tries++);
  return due->slot;
}

std::uint32_t Discovery::Guess(const MemberTable& members, Random& random) {
  while (!first_.empty()) {
    const std::uint32_t slot = first_.back();
    first_.pop_back();
    if (slot < members.slots() && slot != self_) return slot;
  }
  if (members.size() > members.live_count() && random.Chance(1.0 / 3)) {
    for (int i = 0; i < kDraws; ++i) {
      const Member& member = members.at(random.Below(members.size()));
      if (!IsLive(member.state)) return member.slot;
    }
  }
  return random.Chance(0.5) ? Near(members.slots(), random)
                            : static_cast<std::uint32_t>(random.Below(members.slots()));
}

std::uint32_t Discovery::Near(std::uint32_t slots, Random& random) const {
  // Every power of two is as likely as the next: most guesses are very near, some far.
  const auto scale = random.Below(static_cast<std::uint64_t>(std::bit_width(slots)));
  const std::uint64_t distance = 1 + random.Below(std::uint64_t{1} << scale);
  const std::uint64_t step = distance % slots;
  return static_cast<std::uint32_t>((self_ + (random.Chance(0.5) ? step : slots - step)) % slots);
}

}  // namespace radix::flock
