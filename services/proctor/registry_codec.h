// The little of the registry that dean needs: a table of instances, kept by deltas.

#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "radix/picket/v1/picket.pb.h"
#include "radix/registry/v1/registry.pb.h"

namespace radix::proctor {

// The instances that serve, of one watch. Not thread-safe.
class InstanceTable {
 public:
  // Takes in the next delta of the watch.
  void Apply(const registry::v1::Delta& delta);

  // netIDs of the instances of `api` in `horde`.
  std::set<std::string> NetIdsOf(const std::string& horde, const std::string& api) const;

  // The ids of those of `plugins` that serve. The registry does not know plugins: where k instances
  // of one (horde, api, inst) serve, the k that run longest are taken to be it.
  std::set<std::string> ServingIds(const std::vector<picket::v1::Plugin>& plugins) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // horde, api, inst

  std::map<Key, std::set<std::string>> net_ids_;
};

}  // namespace radix::proctor
