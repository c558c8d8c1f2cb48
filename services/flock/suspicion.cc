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

std::size_t Suspicions::Place(std::uint32_t slot) const {
  const auto at = std::ranges::lower_bound(suspicions_, slot, {},
                                           [](const Suspicion& each) { return each.id.slot; });
  return static_cast<std::size_t>(at - suspicions_.begin());
}

bool Suspicions::Accuse(const MemberId& id, std::uint32_t incarnation, std::uint32_t accuser,
                        std::uint32_t others, Instant now) {
  const std::size_t place = Place(id.slot);
  if (place == suspicions_.size() || suspicions_[place].id.slot != id.slot) {
    suspicions_.insert(suspicions_.begin() + static_cast<std::ptrdiff_t>(place), Suspicion{});
  }
  Suspicion& suspicion = suspicions_[place];
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

void Suspicions::Clear(std::uint32_t slot) {
  const std::size_t place = Place(slot);
  if (place == suspicions_.size() || suspicions_[place].id.slot != slot) return;
  suspicions_.erase(suspicions_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Suspicions::Restart(Instant now) {
  for (Suspicion& suspicion : suspicions_) {
    suspicion.deadline += now - suspicion.since;
    suspicion.since = now;
  }
}

const Suspicion* Suspicions::Find(std::uint32_t slot) const {
  const std::size_t place = Place(slot);
  if (place == suspicions_.size() || suspicions_[place].id.slot != slot) return nullptr;
  return &suspicions_[place];
}

std::vector<Suspicion> Suspicions::TakeExpired(Instant now) {
  std::vector<Suspicion> expired;
  if (now < next_) return expired;
  next_ = Instant::max();
  std::erase_if(suspicions_, [&](const Suspicion& suspicion) {
    if (suspicion.deadline <= now) {
      expired.push_back(suspicion);
      return true;
    }
    next_ = std::min(next_, suspicion.deadline);
    return false;
  });
  return expired;
}

}  // namespace radix::flock
