// Brings khan and the plan together: from the decided manifests to the place of every service.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/khan/program.h"
#include "services/proctor/manifest.h"
#include "services/proctor/nodes.h"
#include "services/proctor/plan.h"
#include "services/registry/hordes.h"

namespace radix::proctor {

// Checks a manifest of a user, khan's text included, for a group that never has more than `at_most`
// nodes. InvalidArgument, naming file and line or the field.
absl::Status CheckUserManifest(const Manifest& manifest, std::uint32_t at_most);

// The manifests that are in force, and the hordes: a manifest is placed on the nodes that its horde
// has; `ALL` is all of those. Not thread-safe.
class Placement {
 public:
  // Only the built-in manifest.
  Placement() { Load({}); }

  // The built-in manifest and those of `body`. One that cannot be read (it was accepted by another
  // version of this program) is set aside: nothing of it is started or stopped.
  void Load(const v1::DocumentBody& body);

  // Where every service belongs, with LimitPerNode. Sorted by manifest and service.
  std::vector<PlacedService> Place(const Nodes& nodes) const;

  // Plan, except that what belongs to manifests that are set aside is kept; and on a node that is
  // not of a horde nothing of that is, not even until it runs elsewhere.
  std::map<std::string, Assignment> PlanFor(const std::vector<PlacedService>& services,
                                            const Nodes& nodes) const;

  const registry::Hordes& hordes() const { return hordes_; }

  // Why manifests were set aside, by name.
  const std::map<std::string, std::string>& set_aside() const { return set_aside_; }

 private:
  struct Entry {
    Manifest manifest;
    khan::Program program;
  };

  // With their labels, as khan has it.
  std::map<std::string, std::set<std::string>> NodesOf(const std::string& horde,
                                                       const Nodes& nodes) const;

  registry::Hordes hordes_;
  std::map<std::string, Entry> entries_;  // by manifest
  std::map<std::string, std::string> set_aside_;
};

}  // namespace radix::proctor
