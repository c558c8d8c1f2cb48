#include "services/proctor/placement_driver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/khan/counts.h"
#include "services/khan/evaluate.h"
#include "services/proctor/document_hordes_codec.h"
#include "services/proctor/proctor_codec.h"

namespace radix::proctor {
namespace {

// What the group runs of itself beyond what every node runs.
Manifest BuiltIn() {
  return {.name = std::string(kBuiltInName),
          .services = {{.name = "healthminder",
                        .api = "healthminder1",
                        .inst = "healthminder1_0",
                        .file = "builtin:healthminder",
                        .horde = "radix"}},
          .khan = "pick(healthminder, 1, ALL)"};
}

khan::Source SourceOf(const Manifest& manifest) {
  return {manifest.source.empty() ? manifest.name : manifest.source, manifest.khan_line};
}

absl::StatusOr<khan::Program> CheckAndParse(const Manifest& manifest, Author author) {
  if (absl::Status status = Check(manifest, author); !status.ok()) return status;
  std::set<std::string> services;
  for (const ServiceSpec& service : manifest.services) services.insert(service.name);
  return khan::Program::Parse(manifest.khan, services, SourceOf(manifest));
}

}  // namespace

absl::Status CheckUserManifest(const Manifest& manifest, std::uint32_t at_most) {
  const auto program = CheckAndParse(manifest, Author::kUser);
  if (!program.ok()) return program.status();
  return khan::CheckCounts(*program, {at_most, kInstancesPerNodeMax}, SourceOf(manifest));
}

void Placement::Load(const v1::DocumentBody& body) {
  entries_.clear();
  set_aside_.clear();
  const auto add = [this](Manifest manifest, Author author) {
    auto program = CheckAndParse(manifest, author);
    const std::string name = manifest.name;
    if (program.ok()) {
      entries_[name] = {std::move(manifest), *std::move(program)};
    } else {
      set_aside_[name] = std::string(program.status().message());
    }
  };
  hordes_ = HordesOf(body);
  add(BuiltIn(), Author::kBuiltIn);
  for (const v1::Manifest& manifest : body.manifests()) add(ToManifest(manifest), Author::kUser);
}

std::map<std::string, std::set<std::string>> Placement::NodesOf(const std::string& horde,
                                                                const Nodes& nodes) const {
  std::map<std::string, std::set<std::string>> admitted;
  for (const auto& [name, node] : nodes) {
    if (hordes_.StandingOf(horde, node.fingerprint) == registry::Standing::kAdmitted) {
      admitted[name] = {node.labels.begin(), node.labels.end()};
    }
  }
  return admitted;
}

std::vector<PlacedService> Placement::Place(const Nodes& nodes) const {
  std::map<std::string, khan::Situation> situations;  // by horde
  std::vector<PlacedService> services;
  for (const auto& [name, entry] : entries_) {
    if (entry.manifest.services.empty()) continue;
    const std::string& horde = HordeOf(entry.manifest);
    const auto [known, is_new] = situations.try_emplace(horde);
    khan::Situation& situation = known->second;
    if (is_new) situation.nodes = NodesOf(horde, nodes);
    situation.present.clear();
    for (const ServiceSpec& spec : entry.manifest.services) {
      situation.present[spec.name] = PresentInstances(name, spec.name, nodes);
    }
    auto placed = khan::Evaluate(entry.program, situation);
    for (const ServiceSpec& spec : entry.manifest.services) {
      PlacedService service{.manifest = name, .spec = spec};
      if (auto found = placed.find(spec.name); found != placed.end()) {
        service.want = found->second.want;
        service.nodes = std::move(found->second.nodes);
        service.problem = std::move(found->second.problem);
        if (service.want > 0 && situation.nodes.empty()) {
          service.problem = absl::StrCat("no node is admitted to the horde '", horde, "'");
        }
      }
      services.push_back(std::move(service));
    }
  }
  LimitPerNode(services);
  return services;
}

std::map<std::string, Assignment> Placement::PlanFor(const std::vector<PlacedService>& services,
                                                     const Nodes& nodes) const {
  std::map<std::string, Assignment> plan = Plan(services, nodes);
  for (auto& [name, assignment] : plan) {
    const NodeView& node = nodes.at(name);
    for (const Plugin& plugin : node.plugins) {
      if (set_aside_.count(plugin.spec.owner) != 0) assignment.keep_ids.insert(plugin.spec.id);
      const bool is_known = node.fingerprint != 0;
      if (is_known && !hordes_.Has(plugin.spec.horde, node.fingerprint)) {
        assignment.keep_ids.erase(plugin.spec.id);
      }
    }
  }
  return plan;
}

}  // namespace radix::proctor
