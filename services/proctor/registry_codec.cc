#include "services/proctor/registry_codec.h"

#include <algorithm>
#include <utility>

namespace radix::proctor {

void InstanceTable::Apply(const registry::v1::Delta& delta) {
  if (delta.snapshot()) net_ids_.clear();
  for (const registry::v1::Change& change : delta.changes()) {
    const registry::v1::Instance& instance = change.instance();
    const Key key(instance.horde(), instance.api(), instance.inst());
    // An instance is named by horde, api and netID: whatever inst it was before, it is no more.
    for (auto& [other, net_ids] : net_ids_) {
      if (std::get<0>(other) == instance.horde() && std::get<1>(other) == instance.api()) {
        net_ids.erase(instance.net_id());
      }
    }
    if (instance.status() == registry::v1::STATUS_SERVING) net_ids_[key].insert(instance.net_id());
  }
  std::erase_if(net_ids_, [](const auto& entry) { return entry.second.empty(); });
}

std::set<std::string> InstanceTable::NetIdsOf(const std::string& horde,
                                              const std::string& api) const {
  std::set<std::string> result;
  for (const auto& [key, net_ids] : net_ids_) {
    if (std::get<0>(key) == horde && std::get<1>(key) == api) {
      result.insert(net_ids.begin(), net_ids.end());
    }
  }
  return result;
}

std::set<std::string> InstanceTable::ServingIds(
    const std::vector<picket::v1::Plugin>& plugins) const {
  std::map<Key, std::vector<const picket::v1::Plugin*>> running;
  for (const picket::v1::Plugin& plugin : plugins) {
    if (plugin.state() != picket::v1::PLUGIN_STATE_RUNNING) continue;
    running[{plugin.spec().horde(), plugin.spec().api(), plugin.spec().inst()}].push_back(&plugin);
  }
  const auto started = [](const picket::v1::Plugin* plugin) {
    return std::tuple(plugin->start_time().seconds(), plugin->start_time().nanos(),
                      plugin->spec().id());
  };
  std::set<std::string> serving;
  for (auto& [key, candidates] : running) {
    const auto found = net_ids_.find(key);
    if (found == net_ids_.end()) continue;
    std::sort(candidates.begin(), candidates.end(),
              [&](const auto* a, const auto* b) { return started(a) < started(b); });
    candidates.resize(std::min(candidates.size(), found->second.size()));
    for (const picket::v1::Plugin* plugin : candidates) serving.insert(plugin->spec().id());
  }
  return serving;
}

}  // namespace radix::proctor
