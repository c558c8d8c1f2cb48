#include "services/proctor/serving_codec.h"

#include <algorithm>

namespace radix::proctor {
namespace {

Registration WantedOf(const picket::v1::PluginSpec& spec) {
  return {spec.horde(), spec.api(), spec.inst()};
}

}  // namespace

void ServingTable::Apply(const registry::v1::Delta& delta) {
  if (delta.snapshot()) entries_.clear();
  for (const registry::v1::Change& change : delta.changes()) {
    const registry::v1::Instance& instance = change.instance();
    const Key key(instance.horde(), instance.api(), instance.net_id());
    if (instance.status() != registry::v1::STATUS_SERVING) {
      // Whoever took over the netID as another inst is not meant.
      const auto found = entries_.find(key);
      if (found != entries_.end() && found->second.registration.inst == instance.inst()) {
        entries_.erase(found);
      }
      continue;
    }
    const int group = group_of_ && instance.pid() > 0 ? group_of_(instance.pid()) : 0;
    entries_[key] = {{instance.horde(), instance.api(), instance.inst()}, instance.pid(), group};
  }
}

Served ServingTable::Compare(const std::vector<picket::v1::Plugin>& plugins) const {
  std::map<int, const picket::v1::Plugin*> by_pid;
  std::vector<const picket::v1::Plugin*> by_age;
  for (const picket::v1::Plugin& plugin : plugins) {
    if (plugin.state() != picket::v1::PLUGIN_STATE_RUNNING) continue;
    if (plugin.pid() > 0) by_pid[plugin.pid()] = &plugin;
    by_age.push_back(&plugin);
  }
  Served served;
  std::map<Registration, std::size_t> unclaimed;
  for (const auto& [key, entry] : entries_) {
    auto owner = by_pid.find(entry.pid);
    if (owner == by_pid.end()) owner = by_pid.find(entry.group);
    if (owner == by_pid.end()) {
      ++unclaimed[entry.registration];
    } else if (WantedOf(owner->second->spec()) == entry.registration) {
      served.ids.insert(owner->second->spec().id());
    } else {
      served.otherwise.emplace(owner->second->spec().id(), entry.registration);
    }
  }
  const auto age = [](const picket::v1::Plugin* plugin) {
    return std::tuple(plugin->start_time().seconds(), plugin->start_time().nanos(),
                      plugin->spec().id());
  };
  std::sort(by_age.begin(), by_age.end(),
            [&](const auto* a, const auto* b) { return age(a) < age(b); });
  for (const picket::v1::Plugin* plugin : by_age) {
    const auto found = unclaimed.find(WantedOf(plugin->spec()));
    if (found == unclaimed.end() || found->second == 0) continue;
    if (served.ids.insert(plugin->spec().id()).second) --found->second;
  }
  for (const picket::v1::Plugin* plugin : by_age) {
    if (!plugin->has_refused()) continue;
    const picket::v1::RefusedRegistration& said = plugin->refused();
    served.otherwise.insert_or_assign(plugin->spec().id(),
                                      Registration{said.horde(), said.api(), said.inst()});
  }
  for (const std::string& id : served.ids) served.otherwise.erase(id);
  return served;
}

}  // namespace radix::proctor
