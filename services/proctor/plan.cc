#include "services/proctor/plan.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace radix::proctor {
namespace {

// One instance that is not wanted any more.
struct Leftover {
  std::string node;
  std::string id;
  bool serving = false;
};

class Planner {
 public:
  explicit Planner(const Nodes& nodes) : nodes_(nodes) {
    for (const auto& [name, node] : nodes) {
      if (node.connected) plan_[name];
    }
  }

  void Add(const PlacedService& service) {
    std::set<std::pair<std::string, std::string>> wanted;  // node, id
    for (const auto& [node, count] : service.nodes) {
      for (std::int64_t ordinal = 0; ordinal < count; ++ordinal) {
        PluginSpec spec = InstanceOf(service.manifest, service.spec, ordinal);
        wanted.emplace(node, spec.id);
        if (auto to = plan_.find(node); to != plan_.end())
          to->second.run.push_back(std::move(spec));
      }
    }
    Keep(service, wanted);
  }

  std::map<std::string, Assignment> Take() {
    for (auto& [node, assignment] : plan_) {
      std::sort(assignment.run.begin(), assignment.run.end(),
                [](const PluginSpec& a, const PluginSpec& b) { return a.id < b.id; });
    }
    return std::move(plan_);
  }

 private:
  void Keep(const PlacedService& service,
            const std::set<std::pair<std::string, std::string>>& wanted) {
    std::int64_t serving = 0;
    std::vector<Leftover> leftovers;
    for (const auto& [name, node] : nodes_) {
      for (const Plugin& plugin : node.plugins) {
        if (!IsActive(plugin) || plugin.spec.owner != service.manifest ||
            ServiceOf(plugin.spec.id) != service.spec.name) {
          continue;
        }
        const bool serves = plugin.serving && plugin.state == PluginState::kRunning;
        if (wanted.count({name, plugin.spec.id}) != 0) {
          if (serves) ++serving;
        } else if (plugin.state == PluginState::kRunning) {
          leftovers.push_back({name, plugin.spec.id, serves});
        }
      }
    }
    std::int64_t room = service.want - serving;
    std::stable_sort(leftovers.begin(), leftovers.end(),
                     [](const Leftover& a, const Leftover& b) { return a.serving && !b.serving; });
    for (const Leftover& leftover : leftovers) {
      if (room-- <= 0) break;
      if (auto at = plan_.find(leftover.node); at != plan_.end()) {
        at->second.keep_ids.insert(leftover.id);
      }
    }
  }

  const Nodes& nodes_;
  std::map<std::string, Assignment> plan_;
};

}  // namespace

std::map<std::string, Assignment> Plan(const std::vector<PlacedService>& services,
                                       const Nodes& nodes) {
  Planner planner(nodes);
  for (const PlacedService& service : services) planner.Add(service);
  return planner.Take();
}

}  // namespace radix::proctor
