#include "services/flock/lease.h"

#include <algorithm>

#include "services/flock/mutant.h"

namespace radix::flock {
namespace {

std::uint32_t Microseconds(Duration duration) {
  return static_cast<std::uint32_t>(
      std::clamp<Duration::rep>((duration + 999ns).count() / 1000, 1, Duration(1h).count() / 1000));
}

LeaseAnswer Refuse(const LeaseAsk& ask, RefusalReason reason, std::uint64_t epoch,
                   std::uint32_t retry_after_usec) {
  return {std::nullopt, LeaseRefusal{ask.sequence, reason, epoch, retry_after_usec}};
}

Duration Margin(const Tunables& tunables) {
  if (IsBroken(Rule::kMarginForDrift)) return 0ms;
  return tunables.lease * tunables.clock_drift_e4 / 10000;
}

bool IsSameHolder(const MemberId& a, const MemberId& b) {
  return a == b || (a.slot == b.slot && IsBroken(Rule::kHolderIsOneBoot));
}

}  // namespace

Duration ShortenedLease(const Tunables& tunables) { return tunables.lease - Margin(tunables); }

Duration LengthenedLease(const Tunables& tunables) { return tunables.lease + Margin(tunables); }

LeaseGranter::LeaseGranter(const Tunables& tunables, std::uint64_t charter_digest, bool has_disk,
                           const Promise& recorded, Instant now)
    : tunables_(tunables),
      charter_digest_(charter_digest),
      has_disk_(has_disk),
      boot_until_(now + LengthenedLease(tunables)),
      promise_(recorded),
      granted_until_(Instant{}) {}

std::uint64_t LeaseGranter::epoch_max() const {
  if (IsBroken(Rule::kEpochsAreBounded)) return kEpochMax;
  return promise_.epoch == 0 ? kEpochFirstMax
                             : std::min(promise_.epoch, kEpochMax - epoch_jump_) + epoch_jump_;
}

LeaseGrant LeaseGranter::Answer(std::uint32_t sequence, Instant now) {
  granted_ = promise_;
  granted_until_ = now + LengthenedLease(tunables_);
  last_answer_ = {promise_.epoch, sequence, ++answers_};
  return last_answer_;
}

LeaseAnswer LeaseGranter::HandleAsk(const MemberId& from, const LeaseAsk& ask, bool ranks_first,
                                    Instant now) {
  const std::uint64_t promised = promise_.epoch;
  if (ask.charter_digest != charter_digest_) return Refuse(ask, RefusalReason::kCharter, 0, 0);
  if (leaving_) return Refuse(ask, RefusalReason::kLeaving, 0, 0);
  if (now < boot_until_ && !IsBroken(Rule::kWaitsAfterBoot)) {
    return Refuse(ask, RefusalReason::kBooting, promised, Microseconds(boot_until_ - now));
  }
  if (waiting_) {
    // The answer, once it may go, is to the latest request: the holder's lease counts from it.
    const bool same = waiting_->promise == Promise{ask.epoch, from};
    if (!same && !waiting_->refused) return Refuse(ask, RefusalReason::kRecording, promised, 0);
    if (same) {
      if (!waiting_->given_back) waiting_->sequence = ask.sequence;
      return {};
    }
    waiting_.reset();
  }
  const bool running = now < granted_until_;
  const bool to_asker = running && IsSameHolder(granted_.holder, from);
  if (running && !to_asker && !IsBroken(Rule::kOneLeaseAtATime)) {
    return Refuse(ask, RefusalReason::kPromised, promised, Microseconds(granted_until_ - now));
  }
  const bool passed = ask.epoch < promised && !IsBroken(Rule::kEpochsOnlyRise);
  const bool absurd = ask.epoch > epoch_max();
  if (passed || absurd || (ask.epoch == promised && !IsSameHolder(promise_.holder, from))) {
    return Refuse(ask, RefusalReason::kEpoch, promised, 0);
  }
  // A holder that did not hear the last answer gets that one again and nothing more: otherwise one
  // that sends but cannot hear would be kept for ever.
  const bool echoes = ask.echo == last_answer_.answer || IsBroken(Rule::kRenewalEchoesTheAnswer);
  if (to_asker && (!echoes || ask.sequence == last_answer_.sequence)) {
    return {last_answer_, std::nullopt};
  }
  if (!ranks_first && !IsBroken(Rule::kGrantsOnlyWhoRanksFirst)) {
    return Refuse(ask, RefusalReason::kRank, promised, 0);
  }

  const Promise promise{ask.epoch, from};
  const bool must_record = has_disk_ && promise != promise_;
  promise_ = promise;
  if (must_record) {
    waiting_ = Waiting{promise, ask.sequence};
    if (!IsBroken(Rule::kRecordsBeforeItAnswers)) return {};
  }
  return {Answer(ask.sequence, now), std::nullopt};
}

void LeaseGranter::HandleGiveBack(const MemberId& holder, std::uint64_t epoch) {
  if (granted_.holder == holder && granted_.epoch <= epoch) granted_until_ = Instant{};
  if (waiting_ && waiting_->promise.holder == holder && waiting_->promise.epoch <= epoch) {
    waiting_->given_back = true;
  }
}

void LeaseGranter::Withhold(const MemberId& holder) {
  if (waiting_ && waiting_->promise.holder == holder) waiting_->given_back = true;
}

std::optional<Promise> LeaseGranter::PollPersist() {
  if (!waiting_ || waiting_->taken) return std::nullopt;
  waiting_->taken = true;
  return waiting_->promise;
}

std::optional<LeaseGranter::Released> LeaseGranter::HandlePersisted(const Promise& promise,
                                                                    Instant now) {
  if (!waiting_ || promise.epoch < waiting_->promise.epoch) return std::nullopt;
  const Waiting done = *waiting_;
  waiting_.reset();
  if (done.given_back || leaving_) return std::nullopt;
  return Released{done.promise.holder, Answer(done.sequence, now)};
}

std::optional<LeaseGranter::Released> LeaseGranter::HandleNotPersisted(const Promise& promise,
                                                                       bool own, Instant now) {
  if (!own) return HandlePersisted(promise, now);
  if (waiting_ && waiting_->promise == promise) waiting_->refused = true;
  return std::nullopt;
}

std::optional<LeaseGranter::Grant> LeaseGranter::grant(Instant now) const {
  if (now >= granted_until_) return std::nullopt;
  return Grant{granted_, granted_until_};
}

}  // namespace radix::flock
