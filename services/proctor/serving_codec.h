// Which plugins serve what they are to: what dean makes of the instances that it watches.

#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "radix/picket/v1/picket.pb.h"
#include "radix/registry/v1/registry.pb.h"
#include "services/proctor/nodes.h"

namespace radix::proctor {

// What some plugins serve, by their ids.
struct Served {
  std::set<std::string> ids;  // those that serve what they are to
  // Of the others, those that serve something else, or would if their door let them.
  std::map<std::string, Registration> otherwise;
};

// The instances that serve, of one watch. No registry::InstanceTable: nobody reads it by revision,
// and it has the process group of when an instance registered, which the registry does not know.
// Not thread-safe.
class ServingTable {
 public:
  // `group_of` gives the process group of a process of this node, -1 when there is none: a plugin
  // is the leader of its own. Without it only the plugin's very process is known to be it.
  explicit ServingTable(std::function<int(int)> group_of = nullptr)
      : group_of_(std::move(group_of)) {}

  // Takes in the next delta of the watch.
  void Apply(const registry::v1::Delta& delta);

  // Whose the instances are of those `plugins` that run. Processes tell; where an instance comes
  // from none of theirs, and k such of one (horde, api, inst) serve, the k that are to be it and
  // run longest are taken for it.
  Served Compare(const std::vector<picket::v1::Plugin>& plugins) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // horde, api, netID

  struct Entry {
    Registration registration;
    int pid = 0;
    int group = 0;  // of the process when it registered; 0 if unknown
  };

  std::function<int(int)> group_of_;
  std::map<Key, Entry> entries_;
};

}  // namespace radix::proctor
