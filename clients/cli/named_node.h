// Nodes, as a person names them and as their keys do.

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "radix/flock/v1/flock.pb.h"

namespace radix::cli {

// A node by its key.
struct KeyedNode {
  std::string name;  // or its address, or what was given
  std::uint64_t fingerprint = 0;
};

// The group's nodes, as `node` sees them.
absl::StatusOr<flock::v1::ListMembersResponse> MembersOf(const LabNode& node);

// What people call it: its address until its name is known.
std::string NameOf(const flock::v1::Member& member);

// Whether it is there: suspect, at worst.
bool IsLive(const flock::v1::Member& member);

// A member's name or address, of those that have it the one that lives; or the fingerprint of its
// key, 16 hex digits, which may be that of a node that is long gone. NotFound, saying what can be
// given; InvalidArgument, when several live that are called so, with their fingerprints.
absl::StatusOr<KeyedNode> FindNode(const std::string& text,
                                   const flock::v1::ListMembersResponse& members);

}  // namespace radix::cli
