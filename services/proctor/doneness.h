// How far the group is from what is asked for, and what blocks the rest.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/proctor/nodes.h"

namespace radix::proctor {

// One thing that is not as asked.
struct UnmetItem {
  std::string manifest;
  std::string service;
  std::string node;    // empty when none could be chosen
  std::string reason;  // what is missing and what blocks it, for people

  bool operator==(const UnmetItem&) const = default;
};

// One service's state.
struct ServiceStatus {
  std::string manifest;
  std::string service;
  std::string horde;
  std::string api;
  std::string inst;
  std::int64_t want = 0;
  std::int64_t serving = 0;
  std::vector<std::string> nodes;  // one for each placed instance, sorted
};

// `done` of `total` things are as asked. A thing is an instance that should serve, or one that
// runs and should not.
struct Doneness {
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::int64_t builtin_done = 0;  // of those, the built-in manifest's and the nodes' own lists'
  std::int64_t builtin_total = 0;
  std::vector<UnmetItem> unmet;  // at most kUnmetMax
  std::vector<ServiceStatus> services;

  // In [0, 1]; 1 only when all is as asked, or nothing is asked.
  double value() const;
  double builtin_value() const;
};

inline constexpr std::size_t kUnmetMax = 1000;

// Compares. Plugins of owner `dean` (each node's own built-in list) count as asked for where they
// run; those of other owners that no manifest has are left out.
Doneness Measure(const std::vector<PlacedService>& services, const Nodes& nodes);

// Of one horde alone.
Doneness MeasureIn(const std::string& horde, std::vector<PlacedService> services, Nodes nodes);

}  // namespace radix::proctor
