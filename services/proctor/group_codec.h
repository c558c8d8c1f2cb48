// The group as this node's flock tells it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "radix/flock/v1/flock.pb.h"
#include "services/confab/time.h"

namespace radix::proctor {

// One message of flock's watch, its remaining times turned into instants of this process.
struct Group {
  std::int64_t epoch = 0;          // the sealed leader's; 0 without one
  std::string leader_address;      // likewise; empty without one
  Instant lease_until;             // this node leads under `epoch` until then
  std::int64_t granted_epoch = 0;  // of this node's own grant; 0 without one
  std::string granted_address;     // to whom it runs
  Instant grant_until;
  std::size_t quorum = 0;
  std::string own_boot;         // as flock gives it; empty if unknown
  std::set<std::string> alive;  // addresses
};

// `address` is this node's own.
Group ToGroup(const flock::v1::WatchGroupResponse& wire, const std::string& address, Instant now);

}  // namespace radix::proctor
