// What flock keeps in the node's state folder across restarts: the promise that its last grant made
// (`epoch`), the addresses of some peers (`peers`), and which nodes were revoked (`revoked`). The
// node's key is confab's: node_key.h.
//
// Every file is replaced as a whole (written beside, synced, renamed): a crash at any point leaves
// the old one or the new one.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/node.h"
#include "services/flock/config.h"

namespace radix::flock {

// A promise as it is kept: the holder by its address, because slots change with the ranges.
struct RecordedPromise {
  std::uint64_t epoch = 0;
  IpAddress holder;
  std::uint64_t boot = 0;

  bool operator==(const RecordedPromise&) const = default;
};

// Reads `state`/epoch; nullopt when there is no such file: nothing was ever promised. DataLoss when
// it is damaged or cannot be read: then something was promised, and nobody knows what.
absl::StatusOr<std::optional<RecordedPromise>> LoadPromise(const std::filesystem::path& state);

// Replaces `state`/epoch; it is on disk when this returns OK.
absl::Status StorePromise(const std::filesystem::path& state, const RecordedPromise& promise);

// Reads `state`/peers, one address a line. Lines that are none are left out, as is what comes after
// the first 64: it is a hint, and no file is a hint as well.
std::vector<IpAddress> LoadPeers(const std::filesystem::path& state);

// Replaces `state`/peers.
absl::Status StorePeers(const std::filesystem::path& state, const std::vector<IpAddress>& peers);

// Reads `state`/revoked: the fingerprints of the nodes that were revoked, as this node heard last.
// None when there is no such file. DataLoss when it is damaged or cannot be read.
absl::StatusOr<std::vector<std::uint64_t>> LoadRevoked(const std::filesystem::path& state);

// Replaces `state`/revoked; it is on disk when this returns OK.
absl::Status StoreRevoked(const std::filesystem::path& state,
                          const std::vector<std::uint64_t>& fingerprints);

// What a flock is made from: the arguments, the charter's keys and all of the above. Logs a damaged
// promise as an error and goes on without it: like every freshly booted member this one grants
// nothing until all leases from before have ended, so there still is at most one leader; only the
// order of epochs is no longer this member's to guard, exactly as on a node without a disk. Damage
// to what was revoked it logs likewise: until its dean has spoken this node may grant such a node.
//
// Errors: as above and as LoadKeys; InvalidArgument, when the address is in none of the ranges, or
// name and labels are too long.
absl::StatusOr<Config> LoadConfig(const confab::ServiceArguments& arguments);

}  // namespace radix::flock
