// What nodes run, and what they are to run: the values between which proctor plans.

#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/proctor/manifest.h"

namespace radix::proctor {

// One plugin that a node is to run.
struct PluginSpec {
  std::string id;     // names it on its node
  std::string owner;  // the manifest's name, or `dean` for a node's built-in list
  std::string horde;
  std::string api;
  std::string inst;
  std::string file;
  std::vector<std::string> args;
  std::vector<std::string> env;

  bool operator==(const PluginSpec&) const = default;
};

enum class PluginState : std::uint8_t { kStarting, kRunning, kBackoff, kStopping, kStopped };

// What a service is known as.
struct Registration {
  std::string horde;
  std::string api;
  std::string inst;

  auto operator<=>(const Registration&) const = default;
};

// One plugin that a node has.
struct Plugin {
  PluginSpec spec;
  PluginState state = PluginState::kRunning;
  bool serving = false;  // the node's registry shows it as serving what `spec` says
  std::optional<Registration> registered;  // as something else, while it does not serve that
  std::string last_exit;                   // how its last process ended; may be empty
};

// Whether it runs, or is about to again.
inline bool IsActive(const Plugin& plugin) {
  return plugin.state != PluginState::kStopping && plugin.state != PluginState::kStopped;
}

// One node, as its dean reported it last.
struct NodeView {
  bool connected = false;  // false: it is lost, but so briefly that it still counts
  std::vector<std::string> labels;
  std::vector<Plugin> plugins;
  std::vector<std::string> errors;  // orders that it could not carry out
  std::uint64_t fingerprint = 0;    // of its key, as flock says; 0: not yet
};

using Nodes = std::map<std::string, NodeView>;  // by name

// One service with the place that khan gave it.
struct PlacedService {
  std::string manifest;
  ServiceSpec spec;
  std::int64_t want = 0;                      // instances asked for
  std::map<std::string, std::int64_t> nodes;  // instances by node
  std::string problem;  // why fewer are placed than asked for; empty when all are
};

// The most instances, of all manifests together, that one node runs: picket takes 512 plugins, of
// which a few are the node's own.
inline constexpr std::int64_t kInstancesPerNodeMax = 500;

// Takes away what is more than that on a node, from those that ask for the most first, and says so
// in their `problem`: whoever asks for too much holds up nobody else.
void LimitPerNode(std::vector<PlacedService>& services);

// The plugin that is instance `ordinal` (from 0) of a service on one node. Its id says the service
// and the ordinal, and changes with everything else of `spec`, so that two versions can run side by
// side. A built-in service has its own name as id: there is one of it on a node at most.
PluginSpec InstanceOf(const std::string& manifest, const ServiceSpec& spec, std::int64_t ordinal);

// Whether manifests decide about a plugin: its owner is one, and it is no built-in service, unless
// of the built-in manifest.
bool IsOfManifest(const PluginSpec& spec);

// The service's name that an id made by InstanceOf begins with.
std::string ServiceOf(const std::string& id);

// How many instances of the service each node has, of whatever version: what khan should prefer.
std::map<std::string, std::int64_t> PresentInstances(const std::string& manifest,
                                                     const std::string& service,
                                                     const Nodes& nodes);

}  // namespace radix::proctor
