#include "services/registry/selection.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>

namespace radix::registry {
namespace {

// How much `node` is drawn to an instance.
std::uint64_t Weight(const std::string& node, const InstanceId& id) {
  return HashOf(Instance{{.horde = id.horde, .api = id.api, .node = node, .net_id = id.net_id}});
}

struct Ranked {
  Instance instance;
  bool same_node = false;
  std::uint64_t weight = 0;
};

// Whether `a` is better. The net_id decides between equal weights, so that the order is total.
bool Better(const Ranked& a, const Ranked& b) {
  if (a.instance.status != b.instance.status) return a.instance.status < b.instance.status;
  return std::tie(a.instance.inst, a.same_node, a.weight, a.instance.net_id) >
         std::tie(b.instance.inst, b.same_node, b.weight, b.instance.net_id);
}

}  // namespace

std::vector<Instance> BestFirst(std::vector<Instance> instances, const Choice& choice) {
  std::vector<Ranked> ranked;
  for (Instance& instance : instances) {
    if (instance.status == Status::kDead) continue;
    if (instance.status == Status::kDraining && !choice.include_draining) continue;
    const bool same_node = instance.node == choice.node;
    const std::uint64_t weight = Weight(choice.node, instance);
    ranked.push_back({std::move(instance), same_node, weight});
  }
  std::sort(ranked.begin(), ranked.end(), Better);
  std::vector<Instance> best;
  for (Ranked& each : ranked) best.push_back(std::move(each.instance));
  return best;
}

}  // namespace radix::registry
