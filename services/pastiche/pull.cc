#include "services/pastiche/pull.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::pastiche {
namespace {

// An error travels in one header block of HTTP/2, so it lists only so many peers and so much each.
constexpr std::size_t kListedMax = 10;
constexpr std::size_t kReasonMax = 160;

std::string Shorten(const std::string& text) {
  return text.size() <= kReasonMax ? text : text.substr(0, kReasonMax) + "...";
}

}  // namespace

Pull::Pull(std::string what, const PullOptions& options, std::uint64_t seed)
    : what_(std::move(what)),
      options_(options),
      random_(seed),
      backoff_(options.wait_first, options.wait_most) {}

PullStep Pull::Next(Instant now) {
  if (state_ == State::kWaiting && now >= until_) state_ = State::kLookup;
  if (state_ == State::kRound) {
    if (left_.empty() || fetches_ >= options_.fetches_max) {
      EndRound(now);
    } else {
      peer_ = left_.back();
      left_.pop_back();
      ++fetches_;
      ++records_[peer_].fetches;
      state_ = State::kFetching;
    }
  }
  PullStep step;
  switch (state_) {
    case State::kRound:
    case State::kLookup:
      step.kind = PullStep::Kind::kLookup;
      break;
    case State::kFetching:
      step.kind = PullStep::Kind::kFetch;
      step.peer = peer_;
      break;
    case State::kWaiting:
      step.kind = PullStep::Kind::kWait;
      step.until = until_;
      break;
    case State::kOver:
      step.kind = PullStep::Kind::kGiveUp;
      step.status = Explain();
      break;
  }
  return step;
}

void Pull::HandlePeers(std::vector<Peer> peers) {
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  std::erase_if(peers, [&](const Peer& peer) { return records_[peer].wrong; });
  random_.Shuffle(peers);
  // From the back, so those that broke least come last here.
  std::stable_sort(peers.begin(), peers.end(), [&](const Peer& a, const Peer& b) {
    return records_[a].breaks > records_[b].breaks;
  });
  // A node that has just come up may not be told of anybody yet: that is worth a second look.
  if (peers.empty() && records_.empty() && rounds_ == 0) may_help_ = true;
  left_ = std::move(peers);
  lookup_error_.clear();
  state_ = State::kRound;
}

void Pull::HandleNoLookup(const std::string& why) {
  left_.clear();
  lookup_error_ = Shorten(why);
  may_help_ = true;
  state_ = State::kRound;
}

void Pull::HandleFailure(Failure failure, const std::string& why) {
  Record& record = records_[peer_];
  record.last = Shorten(why);
  record.absent = failure == Failure::kAbsent;
  switch (failure) {
    case Failure::kAbsent:
    case Failure::kDamaged:
      break;
    case Failure::kBusy:
      may_help_ = true;
      break;
    case Failure::kBroken:
      ++record.breaks;
      may_help_ = true;
      break;
    case Failure::kWrong:
      record.wrong = true;
      break;
  }
  state_ = State::kRound;
}

void Pull::EndRound(Instant now) {
  ++rounds_;
  if (!may_help_ || rounds_ >= options_.rounds_max || fetches_ >= options_.fetches_max) {
    state_ = State::kOver;
    return;
  }
  may_help_ = false;
  until_ = now + backoff_.Next(random_);
  state_ = State::kWaiting;
}

absl::Status Pull::Explain() const {
  std::string tried;  // by those whose answers say more than that they do not have it
  std::size_t differing = 0;
  std::size_t asked = 0;
  for (const auto& [peer, record] : records_) {
    if (record.fetches == 0) continue;
    ++asked;
    if (record.absent) continue;
    if (++differing > kListedMax) continue;
    absl::StrAppend(&tried, tried.empty() ? "" : "; ", peer.node, " (", peer.net_id, "), asked ",
                    record.fetches == 1 ? "once" : absl::StrCat(record.fetches, " times"), ": ",
                    record.last);
  }
  if (differing > kListedMax) absl::StrAppend(&tried, "; and ", differing - kListedMax, " more");
  if (differing > 0 && asked > differing) {
    absl::StrAppend(&tried, "; the other ", asked - differing, " do not have it");
  }
  if (!lookup_error_.empty()) {
    absl::StrAppend(&tried, tried.empty() ? "" : "; ", "reeve: ", lookup_error_);
  }
  if (asked == 0 && !lookup_error_.empty()) {
    return absl::UnavailableError(
        absl::StrCat("cannot learn which peers may have ", what_, ": ", tried));
  }
  if (asked == 0) {
    return absl::NotFoundError(
        absl::StrCat(what_, " is not on this node, and reeve names no other node's pastiche"));
  }
  const std::string peers = absl::StrCat(asked, asked == 1 ? " peer" : " peers");
  if (tried.empty()) return absl::NotFoundError(absl::StrCat("none of ", peers, " has ", what_));
  return absl::NotFoundError(
      absl::StrCat(what_, " could not be had from any of ", peers, ": ", tried));
}

}  // namespace radix::pastiche
