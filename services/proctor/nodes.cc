#include "services/proctor/nodes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/proctor/document.h"

namespace radix::proctor {
namespace {

// Twelve hex digits over everything that makes one version differ from another.
std::string VersionOf(const std::string& manifest, const ServiceSpec& spec) {
  std::string all;
  const auto add = [&all](const std::string& field) {
    absl::StrAppend(&all, field.size(), ":", field);
  };
  for (const std::string* field : {&manifest, &spec.horde, &spec.api, &spec.inst, &spec.file}) {
    add(*field);
  }
  for (const auto* list : {&spec.args, &spec.env}) {
    absl::StrAppend(&all, list->size(), ";");
    for (const std::string& field : *list) add(field);
  }
  return absl::BytesToHexString(Sha256(all)).substr(0, 12);
}

// What stays of an id when the version is left out: which of the service's instances it is.
std::string PlaceOf(const std::string& id) {
  const std::size_t last = id.rfind('.');
  return last == std::string::npos ? "0" : id.substr(last + 1);
}

}  // namespace

void LimitPerNode(std::vector<PlacedService>& services) {
  std::map<std::string, std::vector<std::pair<std::int64_t, PlacedService*>>> asking;  // by node
  for (PlacedService& service : services) {
    for (const auto& [node, count] : service.nodes) asking[node].emplace_back(count, &service);
  }
  for (auto& [node, asked] : asking) {
    std::stable_sort(asked.begin(), asked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::int64_t room = kInstancesPerNodeMax;
    for (const auto& [count, service] : asked) {
      if (count > room) {
        service->nodes[node] = room;
        service->problem = absl::StrCat("a node runs at most ", kInstancesPerNodeMax,
                                        " instances, of all manifests together");
      }
      room -= std::min(count, room);
    }
  }
  for (PlacedService& service : services) {
    std::erase_if(service.nodes, [](const auto& entry) { return entry.second == 0; });
  }
}

PluginSpec InstanceOf(const std::string& manifest, const ServiceSpec& spec, std::int64_t ordinal) {
  const bool builtin = spec.file.rfind("builtin:", 0) == 0;
  const std::string id =
      builtin ? spec.name : absl::StrCat(spec.name, ".", VersionOf(manifest, spec), ".", ordinal);
  return {.id = id,
          .owner = manifest,
          .horde = spec.horde,
          .api = spec.api,
          .inst = spec.inst,
          .file = spec.file,
          .args = spec.args,
          .env = spec.env};
}

bool IsOfManifest(const PluginSpec& spec) {
  const bool builtin = spec.file.rfind("builtin:", 0) == 0;
  return builtin ? spec.owner == kBuiltInName : IsManifestOwner(spec.owner);
}

std::string ServiceOf(const std::string& id) { return id.substr(0, id.find('.')); }

std::map<std::string, std::int64_t> PresentInstances(const std::string& manifest,
                                                     const std::string& service,
                                                     const Nodes& nodes) {
  std::map<std::string, std::int64_t> present;
  for (const auto& [name, node] : nodes) {
    std::set<std::string> places;
    for (const Plugin& plugin : node.plugins) {
      if (IsActive(plugin) && plugin.spec.owner == manifest &&
          ServiceOf(plugin.spec.id) == service) {
        places.insert(PlaceOf(plugin.spec.id));
      }
    }
    if (!places.empty()) present[name] = static_cast<std::int64_t>(places.size());
  }
  return present;
}

}  // namespace radix::proctor
