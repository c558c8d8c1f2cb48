// The group, as flock tells its own node.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/time.h"

namespace radix::registry {

// One node that flock knows of.
struct Member {
  IpAddress address;
  std::string node;  // empty until it was learnt
  std::string boot;  // another one after each boot
  std::vector<std::string> labels;
  // Or suspected, which may still be refuted; not dead, and has not left; nor was it revoked.
  bool alive = false;
  bool suspected = false;
  std::uint64_t fingerprint = 0;  // of its node key; services/confab/fingerprint.h
};

// The lease that this node granted, and until when it follows nobody else.
struct Grant {
  std::uint64_t epoch = 0;
  IpAddress leader;
  Duration remaining{};
};

// What services need of it. Remaining times count from when flock's message was read.
struct Group {
  std::uint64_t epoch = 0;                  // the sealed leader's; 0 without one
  std::optional<IpAddress> leader;          // the sealed leader's address
  std::optional<Duration> lease_remaining;  // set while this node is the sealed leader
  std::optional<Grant> grant;               // this node's own, while it is unexpired
  std::size_t quorum = 0;                   // what the charter asks of a leader
  bool turned_away = false;                 // this node is one more than the charter's at_most
  std::vector<Member> members;

  // nullptr when it is not known. Valid until `members` changes.
  const Member* Find(const IpAddress& address) const;

  // The addresses of those who are alive and not suspected.
  std::set<std::string> Unsuspected() const;
};

// Whether who proved to be the node of key `proved` is the one at `address`, where flock lists the
// key `listed`; 0: none. Fingerprints both. Errors: PermissionDenied, when it is another;
// Unavailable, when flock lists none there: it may yet.
absl::Status CheckIsAt(const IpAddress& address, std::uint64_t proved, std::uint64_t listed);

}  // namespace radix::registry
