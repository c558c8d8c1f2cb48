// The keys of the nodes that live, in an order in which readers can ask for what they lack.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "services/confab/address.h"

namespace radix::trust {

// What a node is known by.
struct NodeKey {
  IpAddress address;
  std::optional<std::uint64_t> fingerprint;  // services/confab/fingerprint.h; nullopt: it is gone

  bool operator==(const NodeKey&) const = default;
};

// One key for each address that ever had one, so that it grows with the bloc and not with time. Not
// thread-safe.
class NodeKeys {
 public:
  // Changes that lead to `revision`.
  struct Changes {
    std::uint64_t revision = 0;
    bool snapshot = false;       // what is not named is gone
    std::vector<NodeKey> nodes;  // in address order
  };

  // From now on it is these, each with a fingerprint. Returns whether that changed anything.
  bool Replace(const std::vector<NodeKey>& living);

  // What leads from `revision` to now; all, as a snapshot, for nullopt.
  Changes Since(std::optional<std::uint64_t> revision) const;

  // How often it changed.
  std::uint64_t revision() const { return revision_; }

 private:
  struct Row {
    std::optional<std::uint64_t> fingerprint;
    std::uint64_t revision = 0;  // at which it last changed
  };

  std::uint64_t revision_ = 0;
  std::map<IpAddress, Row> rows_;
};

}  // namespace radix::trust
