#include "services/proctor/changes_driver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/proctor/document_codec.h"

namespace radix::proctor {
namespace {

constexpr std::size_t kWaitingMax = 64;

std::function<void()> Ended(Change& change, absl::StatusOr<std::int64_t> result) {
  return [done = std::move(change.done), result = std::move(result)] { done(result); };
}

}  // namespace

absl::Status Changes::Add(Change& change) {
  if (waiting_.size() >= kWaitingMax) {
    return absl::UnavailableError("too many changes wait already; try again");
  }
  waiting_.push_back(std::move(change));
  return absl::OkStatus();
}

void Changes::Propose(const v1::DocumentBody& body, Decisions& decisions, Instant now,
                      Calls& calls) {
  if (waiting_.empty() || decisions.in_flight()) return;
  v1::DocumentBody next = body;
  std::vector<Change> fitting;
  for (Change& change : waiting_) {
    v1::DocumentBody with = next;
    absl::Status status = change.edit(with);
    if (status.ok()) status = CheckRoom(next, with);
    if (!status.ok()) {
      calls.push_back(Ended(change, status));
      continue;
    }
    next = std::move(with);
    fitting.push_back(std::move(change));
  }
  waiting_.clear();
  if (fitting.empty()) return;
  const auto revision = decisions.Propose(next.SerializeAsString(), now);
  if (!revision.ok()) {
    for (Change& change : fitting) calls.push_back(Ended(change, revision.status()));
    return;
  }
  revision_ = *revision;
  proposed_ = std::move(fitting);
}

void Changes::Finish(std::int64_t revision, const std::function<std::string()>& missing,
                     Instant now, Calls& calls) {
  if (revision >= revision_) {
    for (Change& change : proposed_) calls.push_back(Ended(change, revision));
    proposed_.clear();
  }
  const auto expire = [&](Change& change) {
    if (now < change.deadline) return false;
    calls.push_back(
        Ended(change, absl::UnavailableError(absl::StrCat(
                          "not enough nodes had it on disk in time; ", missing(),
                          "it may or may not have been kept: ask for the status, or apply "
                          "again"))));
    return true;
  };
  std::erase_if(proposed_, expire);
  std::erase_if(waiting_, expire);
}

void Changes::FailAll(const absl::Status& status, Calls& calls) {
  for (Change& change : proposed_) calls.push_back(Ended(change, status));
  for (Change& change : waiting_) calls.push_back(Ended(change, status));
  proposed_.clear();
  waiting_.clear();
}

}  // namespace radix::proctor
