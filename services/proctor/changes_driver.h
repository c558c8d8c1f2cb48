// The changes of the group's decisions that are on their way.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/confab/time.h"
#include "services/proctor/decisions.h"

namespace radix::proctor {

// One change: edits the document, which holds all that was decided before. An edit that is not OK
// ends the change with what it says.
struct Change {
  std::function<absl::Status(v1::DocumentBody&)> edit;
  Instant deadline;
  std::function<void(const absl::StatusOr<std::int64_t>& revision)> done;  // called once
};

// Puts all changes that wait into one document, one document at a time. Not thread-safe; calls no
// `done` itself, but adds it to `calls`, to be made once the owner's lock is released.
class Changes {
 public:
  using Calls = std::vector<std::function<void()>>;

  // Unavailable when too many wait already; then `change` is left as it is.
  absl::Status Add(Change& change);

  // Proposes what waits, if it may be proposed now. `body` is what was decided last. What refuses
  // to be made on top of those before it, or has no room, is refused alone.
  void Propose(const v1::DocumentBody& body, Decisions& decisions, Instant now, Calls& calls);

  // `revision` is decided. Ends the changes that are in it, and those whose time is up: of
  // these `missing` says for people why nodes do not have them on disk.
  void Finish(std::int64_t revision, const std::function<std::string()>& missing, Instant now,
              Calls& calls);

  // Ends all changes with `status`.
  void FailAll(const absl::Status& status, Calls& calls);

 private:
  std::deque<Change> waiting_;    // not proposed yet
  std::vector<Change> proposed_;  // part of revision_
  std::int64_t revision_ = 0;
};

}  // namespace radix::proctor
