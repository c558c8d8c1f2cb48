#include "services/proctor/conform.h"

#include <map>
#include <set>
#include <utility>

namespace radix::proctor {

std::vector<Order> Conform(const std::vector<PluginSpec>& builtins,
                           const std::optional<Assignment>& assignment,
                           const std::vector<Plugin>& plugins) {
  std::map<std::string, const Plugin*> present;
  for (const Plugin& plugin : plugins) {
    if (plugin.state != PluginState::kStopped) present[plugin.spec.id] = &plugin;
  }
  std::vector<Order> starts;
  std::vector<Order> stops;
  std::set<std::string> wanted;
  const auto want = [&](const PluginSpec& spec) {
    wanted.insert(spec.id);
    const auto found = present.find(spec.id);
    if (found == present.end()) {
      starts.push_back({Order::Kind::kStart, spec});
    } else if (found->second->spec != spec && IsActive(*found->second)) {
      stops.push_back({Order::Kind::kStop, found->second->spec});
    }
  };
  for (const PluginSpec& spec : builtins) want(spec);
  if (assignment) {
    for (const PluginSpec& spec : assignment->run) want(spec);
    for (const auto& [id, plugin] : present) {
      if (wanted.count(id) == 0 && assignment->keep_ids.count(id) == 0 && IsActive(*plugin) &&
          IsOfManifest(plugin->spec)) {
        stops.push_back({Order::Kind::kStop, plugin->spec});
      }
    }
  }
  starts.insert(starts.end(), stops.begin(), stops.end());
  return starts;
}

}  // namespace radix::proctor
