#include "services/proctor/decisions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::proctor {

void Decisions::HandleReport(const std::string& slot, const Report& report, Instant now) {
  if (phase_ == Phase::kSuperseded) return;
  const Document& document = report.document;
  if (document.epoch > options_.epoch) {
    phase_ = Phase::kSuperseded;
    return;
  }
  Slot& entry = slots_[slot];
  entry = Slot();
  if (phase_ == Phase::kLearning) {
    entry.reported = report;
    Learn(now);
    return;
  }
  entry.reported.losses = report.losses;
  entry.has_current = document.epoch == current_.epoch && document.revision == current_.revision &&
                      document.checksum == current_.checksum;
  if (entry.has_current) {
    CountAcks();
    WriteToOthers(now);
  } else if (slot == options_.own_slot || OwnHasCurrent()) {
    Send(slot, entry, now);
  }
}

void Decisions::HandleDisconnect(const std::string& slot) {
  slots_.erase(slot);
  std::erase_if(writes_, [&](const Write& write) { return write.slot == slot; });
}

void Decisions::HandleAck(const std::string& slot, std::int64_t epoch, std::int64_t revision,
                          const std::string& checksum, Instant now) {
  const auto found = slots_.find(slot);
  if (found == slots_.end() || phase_ == Phase::kLearning) return;
  if (epoch != current_.epoch || revision != current_.revision || checksum != current_.checksum) {
    return;
  }
  found->second.has_current = true;
  found->second.reported.losses = 0;
  found->second.resend_at.reset();
  CountAcks();
  WriteToOthers(now);
}

void Decisions::HandleRefusal(const std::string& slot, std::int64_t promised) {
  if (slots_.count(slot) != 0 && promised > options_.epoch) phase_ = Phase::kSuperseded;
}

void Decisions::HandleTimeout(Instant now) {
  for (auto& [name, slot] : slots_) {
    if (slot.resend_at && *slot.resend_at <= now) Send(name, slot, now);
  }
}

std::optional<Instant> Decisions::NextTimeout() const {
  std::optional<Instant> next;
  for (const auto& [name, slot] : slots_) {
    if (slot.resend_at && (!next || *slot.resend_at < *next)) next = slot.resend_at;
  }
  return next;
}

absl::StatusOr<std::int64_t> Decisions::Propose(std::string body, Instant now) {
  if (phase_ != Phase::kLeading) {
    return absl::FailedPreconditionError(absl::StrCat("the group's decisions are not known yet (",
                                                      report_count(), " of ", options_.quorum,
                                                      " nodes reported); try again"));
  }
  if (in_flight()) return absl::UnavailableError("the change before is not on enough disks yet");
  if (body.size() > options_.body_max) {
    return absl::ResourceExhaustedError(absl::StrCat("the group's decisions would need ",
                                                     body.size(), " bytes; at most ",
                                                     options_.body_max, " are kept"));
  }
  rewritten_ = false;
  Adopt(Document::Make(options_.epoch, current_.revision + 1, std::move(body)), now);
  return current_.revision;
}

std::optional<Decisions::Write> Decisions::PollWrite() {
  if (writes_.empty() || phase_ == Phase::kSuperseded) return std::nullopt;
  Write write = std::move(writes_.front());
  writes_.pop_front();
  return write;
}

std::size_t Decisions::lost_count() const {
  return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) {
    return slot.second.reported.losses > 0;
  }));
}

bool Decisions::OwnHasCurrent() const {
  const auto own = slots_.find(options_.own_slot);
  return own != slots_.end() && own->second.has_current;
}

void Decisions::Learn(Instant now) {
  const auto own = slots_.find(options_.own_slot);
  if (own == slots_.end() || report_count() < options_.quorum) return;
  Document latest;
  for (auto& [name, slot] : slots_) {
    if (slot.reported.losses == 0 && IsLater(slot.reported.document, latest)) {
      latest = slot.reported.document;
    }
  }
  const int losses = own->second.reported.losses;
  const std::int64_t gap = losses == 0 ? 0 : std::int64_t{1} << losses;
  phase_ = Phase::kWriting;
  Adopt(Document::Make(options_.epoch, latest.revision + gap, std::move(latest.body)), now);
}

// Makes `document` what is being written. The own slot comes first; see the top of the header.
void Decisions::Adopt(Document document, Instant now) {
  current_ = std::move(document);
  writes_.clear();
  for (auto& [name, slot] : slots_) {
    const Document& has = slot.reported.document;
    slot.has_current = has.epoch == current_.epoch && has.revision == current_.revision &&
                       has.checksum == current_.checksum;
    slot.reported.document = Document();
    slot.resend_at.reset();
  }
  CountAcks();
  if (OwnHasCurrent()) {
    WriteToOthers(now);
  } else if (const auto own = slots_.find(options_.own_slot); own != slots_.end()) {
    Send(own->first, own->second, now);
  }
}

// Sends what is being written to every slot that lacks it and was not sent it.
void Decisions::WriteToOthers(Instant now) {
  if (!OwnHasCurrent()) return;
  for (auto& [name, slot] : slots_) {
    if (!slot.has_current && !slot.resend_at) Send(name, slot, now);
  }
}

void Decisions::Send(const std::string& name, Slot& slot, Instant now) {
  std::erase_if(writes_, [&](const Write& write) { return write.slot == name; });
  writes_.push_back({name, current_, rewritten_});
  slot.resend_at = now + options_.resend_interval;
}

void Decisions::CountAcks() {
  if (phase_ == Phase::kSuperseded) return;
  const auto count = std::count_if(slots_.begin(), slots_.end(),
                                   [](const auto& entry) { return entry.second.has_current; });
  if (static_cast<std::size_t>(count) < options_.quorum) return;
  phase_ = Phase::kLeading;
  decided_ = current_;
}

}  // namespace radix::proctor
