#include "services/proctor/doneness.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace radix::proctor {
namespace {

double Share(std::int64_t done, std::int64_t total) {
  return total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
}

bool Serves(const Plugin& plugin) {
  return plugin.serving && plugin.state == PluginState::kRunning;
}

// How a program differs from its manifest.
std::string Mismatch(const PluginSpec& spec, const Registration& registered) {
  std::vector<std::string> does;
  std::vector<std::string> should;
  const auto compare = [&](const std::string& field, const std::string& is,
                           const std::string& wanted) {
    if (is == wanted) return;
    does.push_back(field + is);
    should.push_back(field + wanted);
  };
  compare("horde ", registered.horde, spec.horde);
  compare("api ", registered.api, spec.api);
  compare("", registered.inst, spec.inst);
  return absl::StrCat("registers ", absl::StrJoin(does, " "), ", the manifest says ",
                      absl::StrJoin(should, " "));
}

// Why a plugin that should serve does not.
std::string Obstacle(const Plugin& plugin) {
  const std::string end = plugin.last_exit.empty() ? "" : " (last: " + plugin.last_exit + ")";
  switch (plugin.state) {
    case PluginState::kStarting:
      return "is being started: its file is fetched, then its process begins";
    case PluginState::kRunning:
      if (plugin.registered) return Mismatch(plugin.spec, *plugin.registered);
      return "runs but does not serve yet" + end;
    case PluginState::kBackoff:
      return "ended and waits to be started again" + end;
    case PluginState::kStopping:
      return "is being stopped, and started afterwards";
    case PluginState::kStopped:
      return "was stopped and is not started yet" + end;
  }
  return "";
}

constexpr std::int64_t kMissingMax = 1'000'000'000;  // of one service

class Measurement {
 public:
  explicit Measurement(const Nodes& nodes) : nodes_(nodes) {}

  void Add(const PlacedService& service) {
    ServiceStatus status{.manifest = service.manifest,
                         .service = service.spec.name,
                         .horde = service.spec.horde,
                         .api = service.spec.api,
                         .inst = service.spec.inst,
                         .want = service.want};
    std::int64_t placed = 0;
    for (const auto& [node, count] : service.nodes) {
      placed += count;
      for (std::int64_t ordinal = 0; ordinal < count; ++ordinal) {
        status.nodes.push_back(node);
        const std::string id = InstanceOf(service.manifest, service.spec, ordinal).id;
        wanted_.insert({node, id});
        const std::string obstacle = ObstacleAt(node, id);
        if (obstacle.empty()) ++status.serving;
        Count(service.manifest, obstacle.empty() ? 1 : 0);
        if (!obstacle.empty()) Miss({service.manifest, service.spec.name, node, obstacle});
      }
    }
    // Bounded, since a manifest may ask for any number, and the sum of all must stay one.
    Count(service.manifest, 0, std::clamp<std::int64_t>(service.want - placed, 0, kMissingMax));
    if (!service.problem.empty()) {
      if (service.want <= placed) Count(service.manifest, 0);
      Miss({service.manifest, service.spec.name, "",
            absl::StrCat(service.want - placed, " of ", service.want,
                         " not placed: ", service.problem)});
    }
    result_.services.push_back(std::move(status));
  }

  Doneness Take() {
    for (const auto& [name, node] : nodes_) {
      for (const Plugin& plugin : node.plugins) Leftover(name, node, plugin);
    }
    return std::move(result_);
  }

 private:
  std::string ObstacleAt(const std::string& name, const std::string& id) const {
    const auto node = nodes_.find(name);
    if (node == nodes_.end()) return "the node is gone";
    if (!node->second.connected) return "the node is not connected";
    for (const Plugin& plugin : node->second.plugins) {
      if (plugin.spec.id == id) return Serves(plugin) ? "" : Obstacle(plugin);
    }
    for (const std::string& error : node->second.errors) {
      if (absl::StartsWith(error, id)) return error;
    }
    return "is not started yet";
  }

  void Leftover(const std::string& name, const NodeView& node, const Plugin& plugin) {
    if (plugin.spec.owner == "dean") {
      const bool serves = node.connected && Serves(plugin);
      if (!serves && plugin.state == PluginState::kStopped) return;
      Count(std::string(kBuiltInName), serves ? 1 : 0);
      if (!serves) {
        Miss({std::string(kBuiltInName), plugin.spec.id, name,
              node.connected ? Obstacle(plugin) : "the node is not connected"});
      }
      return;
    }
    if (!IsOfManifest(plugin.spec) || plugin.state == PluginState::kStopped ||
        wanted_.count({name, plugin.spec.id}) != 0) {
      return;
    }
    Count(plugin.spec.owner, 0);
    Miss({plugin.spec.owner, ServiceOf(plugin.spec.id), name,
          absl::StrCat(plugin.spec.inst, plugin.state == PluginState::kStopping
                                             ? " is being stopped"
                                             : " still runs and is to be stopped")});
  }

  void Count(const std::string& manifest, std::int64_t done, std::int64_t total = 1) {
    result_.total += total;
    result_.done += done;
    if (manifest != kBuiltInName) return;
    result_.builtin_total += total;
    result_.builtin_done += done;
  }

  void Miss(UnmetItem item) {
    if (result_.unmet.size() < kUnmetMax) result_.unmet.push_back(std::move(item));
  }

  const Nodes& nodes_;
  std::set<std::pair<std::string, std::string>> wanted_;  // node, id
  Doneness result_;
};

}  // namespace

double Doneness::value() const { return Share(done, total); }
double Doneness::builtin_value() const { return Share(builtin_done, builtin_total); }

Doneness Measure(const std::vector<PlacedService>& services, const Nodes& nodes) {
  Measurement measurement(nodes);
  for (const PlacedService& service : services) measurement.Add(service);
  return measurement.Take();
}

Doneness MeasureIn(const std::string& horde, std::vector<PlacedService> services, Nodes nodes) {
  std::erase_if(services, [&](const PlacedService& each) { return each.spec.horde != horde; });
  for (auto& [name, node] : nodes) {
    std::erase_if(node.plugins, [&](const Plugin& each) { return each.spec.horde != horde; });
  }
  return Measure(services, nodes);
}

}  // namespace radix::proctor
