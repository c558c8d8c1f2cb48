// A table of live instances that knows in which order it changed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/registry/instance.h"

namespace radix::registry {

// Changes that lead from one state of a table to a later one.
struct Delta {
  std::uint64_t revision = 0;     // of the table behind these changes
  std::string origin;             // names the table and its life; filled in by its owner
  bool snapshot = false;          // `changes` is the whole table: what it does not name is gone
  std::vector<Instance> changes;  // oldest first; Status::kDead removes
  std::uint64_t digest = 0;       // of the table behind these changes; 0 for none computed
};

// A set of live instances with a revision, a digest and a memory of what changed.
//
// A reader needs to remember only the revision that it saw last: Since says what it lacks, each
// instance at most once however often it changed. So a reader costs the same whether it reads or
// not. Not thread-safe.
class InstanceTable {
 public:
  // How many removals are remembered by default. A reader that is further behind gets a snapshot.
  static constexpr std::size_t kRemovalsMax = 1024;

  explicit InstanceTable(std::size_t removals_max = kRemovalsMax) : removals_max_(removals_max) {}

  // Adds or replaces an instance; a dead one is removed. Returns whether that changed anything that
  // readers act on; only then does the revision grow.
  bool Put(const Instance& instance);

  // Returns whether it was there.
  bool Remove(const InstanceId& id);

  // Makes the table hold exactly `instances`. Returns whether anything changed.
  bool Replace(const std::vector<Instance>& instances);

  // What leads from `revision` to now, of those that `selector` matches; the whole table, as a
  // snapshot, when `revision` is nullopt, of another table, or too long ago. The digest is always
  // that of the whole table.
  Delta Since(std::optional<std::uint64_t> revision, const Selector& selector = {}) const;

  // nullptr when it is not there. Valid until the table changes.
  const Instance* Find(const InstanceId& id) const;

  // All that `selector` matches, in InstanceId order.
  std::vector<Instance> List(const Selector& selector = {}) const;

  // How often the table changed.
  std::uint64_t revision() const { return revision_; }

  // The sum, modulo 2^64, of the HashOf all instances: equal tables have equal digests.
  std::uint64_t digest() const { return digest_; }

  std::size_t size() const { return rows_.size(); }

 private:
  struct Row : Instance {
    std::uint64_t revision = 0;  // at which it last changed
  };
  struct ById {
    using is_transparent = void;
    bool operator()(const InstanceId& a, const InstanceId& b) const { return a < b; }
  };

  void RememberRemoval(const Instance& instance);

  std::size_t removals_max_;
  std::uint64_t revision_ = 0;
  std::uint64_t digest_ = 0;
  std::set<Row, ById> rows_;
  std::map<std::uint64_t, const Row*> changed_at_;  // exactly the rows, by their revision
  std::map<std::uint64_t, Instance> removed_at_;    // the latest removals_max_ removals
  std::uint64_t forgotten_ = 0;                     // removals up to this revision are forgotten
};

}  // namespace radix::registry
