// From what a node is to run and what it runs to what dean asks of picket.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/proctor/nodes.h"
#include "services/proctor/plan.h"

namespace radix::proctor {

// One request to picket: start `spec`, or stop the plugin of that id.
struct Order {
  enum class Kind : std::uint8_t { kStart, kStop } kind = Kind::kStart;
  PluginSpec spec;

  bool operator==(const Order&) const = default;
};

// What is to be done now, starts first; empty when the node is as it should be. Computed again at
// every change, so it asks only for what can be done at once: where another specification runs
// under a wanted id, it is stopped first, and started when it has ended.
//
// `builtins` always run. Without an assignment nothing else is touched; with one, what runs, is
// owned by a manifest, and is in neither of its lists is stopped.
std::vector<Order> Conform(const std::vector<PluginSpec>& builtins,
                           const std::optional<Assignment>& assignment,
                           const std::vector<Plugin>& plugins);

}  // namespace radix::proctor
