// What one node of a lab says of all of them. Every question waits for one second at most.

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"

namespace radix::cli {

// The flock of a node, as it lists it.
struct SeenMembers {
  // Of those alive. Names are learnt after addresses, so a member may be here by its address alone.
  std::set<std::string> names;
  std::set<std::string> addresses;
  // Addresses of those that were revoked. Such a node's view is its own.
  std::set<std::string> revoked;
  // The sealed leader's name and address, and its epoch; empty and 0 without one.
  std::string leader;
  std::string leader_address;
  std::int64_t epoch = 0;
};
absl::StatusOr<SeenMembers> MembersAt(const LabNode& node);

// (node, api) of every built-in instance that serves, as the node's reeve shows it.
using Serving = std::set<std::pair<std::string, std::string>>;
absl::StatusOr<Serving> ServingAt(const LabNode& node);

// The epoch of the steward that the node's reeve learns from; 0 when it has none at present.
absl::StatusOr<std::int64_t> StewardEpochAt(const LabNode& node);

}  // namespace radix::cli
