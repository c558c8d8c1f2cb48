// Which proctor a node follows.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/time.h"
#include "services/registry/group.h"
#include "services/registry/instance_table.h"

namespace radix::proctor {

// A node's allegiance: to the proctor of the leader to which its own unexpired grant runs, under
// that grant's epoch, and to none without a grant. Not thread-safe.
class Allegiance {
 public:
  struct Followed {
    std::string net_id;
    std::int64_t epoch = 0;

    bool operator==(const Followed&) const = default;
  };

  // What this node's flock says, heard at `now`.
  void HandleGroup(const registry::Group& group, Instant now);

  // What this node's reeve says: the next step of its watch of the group's proctors.
  void HandleProctors(const registry::Delta& delta);

  // From whom this node takes writes and orders now; nullopt for nobody.
  std::optional<Followed> FollowedAt(Instant now) const;

  // Whether a node that follows `with`, on a stream that works, goes on: also when the registry
  // does not list that proctor any more, as long as the grant runs. A leader that was revoked is
  // off the list before it has told everybody so.
  bool MayStay(const Followed& with, Instant now) const;

  // The netID of the proctor to ask on behalf of people: the one that is followed, else the sealed
  // leader's. Unavailable, with the reason, while none is known.
  absl::StatusOr<std::string> AskedAt(Instant now) const;

  // What flock said last; nullopt before it spoke.
  const std::optional<registry::Group>& group() const { return group_; }
  // When the grant of that group ends.
  Instant grant_until() const { return grant_until_; }

 private:
  // The netID of that node's proctor; empty when none is known.
  std::string ProctorAt(const IpAddress& address) const;

  std::optional<registry::Group> group_;
  Instant grant_until_;
  registry::InstanceTable proctors_{0};
};

}  // namespace radix::proctor
