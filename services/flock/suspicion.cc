#include "services/flock/suspicion.h"

#include <algorithm>
#include <span>

namespace radix::flock {

Duration Suspicions::Timeout(std::uint32_t accusers, std::uint32_t others) const {
  const std::uint32_t enough = std::min<std::uint32_t>(3, std::max<std::uint32_t>(others, 1));
  if (accusers >= enough) return tunables_.suspicion_shortest;
  // Thousandths, so that no rounding of the C library's decides anything.
  static constexpr std::array<std::array<int, 4>, 4> kLeft = {
      {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 1000, 0, 0}, {0, 1000, 369, 0}}};
  const Duration range = tunables_.suspicion_longest - tunables_.suspicion_shortest;
  return tunables_.suspicion_shortest + range * kLeft[enough][accusers] / 1000;
}

bool Suspicions::Accuse(const MemberId& id, std::uint32_t incarnation, std::uint32_t accuser,
                        std::uint32_t others, Instant now) {
  Suspicion& suspicion = suspicions_[id.slot];
  if (suspicion.accuser_count == 0 || suspicion.id != id || incarnation > suspicion.incarnation) {
    suspicion = Suspicion{id, incarnation, {}, 0, now, now};
  } else if (incarnation < suspicion.incarnation) {
    return false;
  }
  const auto known = std::span(suspicion.accusers).first(suspicion.accuser_count);
  if (known.size() == suspicion.accusers.size() || std::ranges::count(known, accuser) > 0) {
    return false;
  }
  suspicion.accusers[suspicion.accuser_count++] = accuser;
  suspicion.deadline = suspicion.since + Timeout(suspicion.accuser_count, others);
  next_ = std::min(next_, suspicion.deadline);
  return true;
}

void Suspicions::Clear(std::uint32_t slot) { suspicions_.erase(slot); }

void Suspicions::Restart(Instant now) {
  for (auto& [slot, suspicion] : suspicions_) {
    suspicion.deadline += now - suspicion.since;
    suspicion.since = now;
  }
}

const Suspicion* Suspicions::Find(std::uint32_t slot) const {
  const auto found = suspicions_.find(slot);
  return found == suspicions_.end() ? nullptr : &found->second;
}

std::optional<Suspicion> Suspicions::Expired(Instant now) {
  if (now < next_) return std::nullopt;
  next_ = Instant::max();
  for (const auto& [slot, suspicion] : suspicions_) {
    if (suspicion.deadline <= now) {
      next_ = now;
      return suspicion;
    }
    next_ = std::min(next_, suspicion.deadline);
  }
  return std::nullopt;
}

}  // namespace radix::flock
