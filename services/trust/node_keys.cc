#include "services/trust/node_keys.h"

namespace radix::trust {

bool NodeKeys::Replace(const std::vector<NodeKey>& living) {
  std::map<IpAddress, std::optional<std::uint64_t>> present;
  for (const NodeKey& each : living) present[each.address] = each.fingerprint;
  for (const auto& [address, row] : rows_) present.try_emplace(address, std::nullopt);
  const std::uint64_t next = revision_ + 1;
  for (const auto& [address, fingerprint] : present) {
    Row& row = rows_[address];
    if (row.revision > 0 && row.fingerprint == fingerprint) continue;
    row = {fingerprint, next};
    revision_ = next;
  }
  return revision_ == next;
}

NodeKeys::Changes NodeKeys::Since(std::optional<std::uint64_t> revision) const {
  Changes changes{.revision = revision_, .snapshot = !revision, .nodes = {}};
  for (const auto& [address, row] : rows_) {
    const bool wanted = revision ? row.revision > *revision : row.fingerprint.has_value();
    if (wanted) changes.nodes.push_back({address, row.fingerprint});
  }
  return changes;
}

}  // namespace radix::trust
