#include "services/flock/suspicion.h"

#include <algorithm>
#include <span>
#include <utility>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

constexpr std::uint32_t kEnough = 3;
// What waits for more signatures is looked at again after this.
constexpr Duration kLookAgain = 250ms;
constexpr Duration kSignAgain = 1200ms;

}  // namespace

std::size_t Suspicions::Place(std::uint32_t slot) const {
  const auto at = std::ranges::lower_bound(suspicions_, slot, {},
                                           [](const Suspicion& each) { return each.id.slot; });
  return static_cast<std::size_t>(at - suspicions_.begin());
}

Suspicion* Suspicions::Open(const MemberId& id, std::uint32_t incarnation, Instant now) {
  const std::size_t place = Place(id.slot);
  const bool known = place < suspicions_.size() && suspicions_[place].id.slot == id.slot;
  if (!known) {
    suspicions_.insert(suspicions_.begin() + static_cast<std::ptrdiff_t>(place), Suspicion{});
  }
  Suspicion& suspicion = suspicions_[place];
  if (known && suspicion.id == id && incarnation < suspicion.incarnation) return nullptr;
  if (!known || suspicion.id != id || incarnation > suspicion.incarnation) {
    suspicion = Suspicion{};
    suspicion.id = id;
    suspicion.incarnation = incarnation;
    suspicion.since = now;
    suspicion.deadline = now + tunables_.suspicion_shortest;
    next_ = std::min(next_, suspicion.deadline);
  }
  return &suspicion;
}

bool Suspicions::IsEnough(const Suspicion& suspicion, std::uint32_t unsuspected) {
  const std::uint32_t count = suspicion.signer_count + (suspicion.own ? 1U : 0U);
  if (IsBroken(Rule::kThreeAccuse)) return count >= 1;
  // Were the others few because somebody made them suspects, this node's own finding still counts.
  return count >= kEnough || (suspicion.own && count >= unsuspected);
}

void Suspicions::Consider(Suspicion& suspicion, std::uint32_t unsuspected, Instant now) {
  if (suspicion.enough_at != Instant::max() || !IsEnough(suspicion, unsuspected)) return;
  suspicion.enough_at = now;
  suspicion.deadline = std::max(suspicion.since + tunables_.suspicion_shortest,
                                now + tunables_.suspicion_shortest / 3);
  next_ = std::min(next_, suspicion.deadline);
}

bool Suspicions::Accuse(const MemberId& id, std::uint32_t incarnation, std::uint32_t accuser,
                        Instant now) {
  Suspicion* const suspicion = Open(id, incarnation, now);
  if (suspicion == nullptr) return false;
  const auto known = std::span(suspicion->accusers).first(suspicion->accuser_count);
  if (known.size() == suspicion->accusers.size() || std::ranges::count(known, accuser) > 0) {
    return false;
  }
  suspicion->accusers[suspicion->accuser_count++] = accuser;
  return true;
}

void Suspicions::AccuseItself(const MemberId& id, std::uint32_t incarnation, Instant sign_at,
                              Instant now) {
  Suspicion* const suspicion = Open(id, incarnation, now);
  if (suspicion == nullptr || suspicion->own) return;
  suspicion->own = true;
  suspicion->sign_at = sign_at;
  next_signature_ = std::min(next_signature_, sign_at);
  // It may be the last that was missing. Once there are enough, the suspect has its time.
  if (suspicion->enough_at != Instant::max()) return;
  suspicion->deadline = std::min(suspicion->deadline, now + kLookAgain);
  next_ = std::min(next_, suspicion->deadline);
}

bool Suspicions::Lacks(const MemberId& id, std::uint32_t incarnation, std::uint32_t signer) const {
  const Suspicion* const suspicion = Find(id.slot);
  if (suspicion == nullptr || suspicion->id != id || suspicion->incarnation < incarnation) {
    return true;
  }
  const auto known = std::span(suspicion->signers).first(suspicion->signer_count);
  return suspicion->incarnation == incarnation && suspicion->enough_at == Instant::max() &&
         known.size() < suspicion->signers.size() && std::ranges::count(known, signer) == 0;
}

bool Suspicions::Sign(const MemberId& id, std::uint32_t incarnation, std::uint32_t signer,
                      std::uint32_t unsuspected, Instant now) {
  if (!Lacks(id, incarnation, signer)) return false;
  Suspicion* const suspicion = Open(id, incarnation, now);
  if (suspicion == nullptr) return false;
  suspicion->signers[suspicion->signer_count++] = signer;
  Consider(*suspicion, unsuspected, now);
  return true;
}

void Suspicions::Clear(std::uint32_t slot) {
  const std::size_t place = Place(slot);
  if (place == suspicions_.size() || suspicions_[place].id.slot != slot) return;
  suspicions_.erase(suspicions_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Suspicions::Restart(Instant now) {
  for (Suspicion& suspicion : suspicions_) {
    suspicion.since = now;
    suspicion.deadline = now + tunables_.suspicion_shortest;
    suspicion.enough_at = Instant::max();
    suspicion.own = false;  // it was this node that could not hear
    suspicion.sign_at = Instant::max();
  }
}

void Suspicions::PutOff(Duration late) {
  for (Suspicion& suspicion : suspicions_) {
    suspicion.since += late;
    suspicion.deadline += late;
    if (!std::exchange(suspicion.own, false)) continue;
    suspicion.enough_at = Instant::max();
    suspicion.sign_at = Instant::max();
  }
}

const Suspicion* Suspicions::Find(std::uint32_t slot) const {
  const std::size_t place = Place(slot);
  if (place == suspicions_.size() || suspicions_[place].id.slot != slot) return nullptr;
  return &suspicions_[place];
}

std::vector<Expired> Suspicions::TakeExpired(std::uint32_t unsuspected, Instant now) {
  std::vector<Expired> expired;
  if (now < next_) return expired;
  next_ = Instant::max();
  std::erase_if(suspicions_, [&](Suspicion& suspicion) {
    if (suspicion.deadline <= now) {
      Consider(suspicion, unsuspected, now);
      const bool enough = suspicion.enough_at != Instant::max();
      if (enough && suspicion.deadline <= now) {
        expired.push_back({suspicion, true});
        return true;
      }
      if (!enough && !suspicion.own && now - suspicion.since >= tunables_.suspicion_longest) {
        expired.push_back({suspicion, false});
        return true;
      }
      if (!enough) suspicion.deadline = now + kLookAgain;
    }
    next_ = std::min(next_, suspicion.deadline);
    return false;
  });
  return expired;
}

std::vector<MemberId> Suspicions::TakeUnsigned(std::size_t limit, Instant now) {
  std::vector<MemberId> due;
  if (now < next_signature_) return due;
  next_signature_ = Instant::max();
  for (Suspicion& suspicion : suspicions_) {
    if (suspicion.sign_at <= now && due.size() < limit) {
      if (suspicion.enough_at == Instant::max()) due.push_back(suspicion.id);
      suspicion.sign_at = now + kSignAgain;
    }
    next_signature_ = std::min(next_signature_, suspicion.sign_at);
  }
  return due;
}

}  // namespace radix::flock
