#include "services/proctor/proctor_codec.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/address.h"
#include "services/confab/charter.h"

namespace radix::proctor {
namespace {

PluginState ToState(picket::v1::PluginState wire) {
  switch (wire) {
    case picket::v1::PLUGIN_STATE_STARTING:
      return PluginState::kStarting;
    case picket::v1::PLUGIN_STATE_RUNNING:
      return PluginState::kRunning;
    case picket::v1::PLUGIN_STATE_BACKOFF:
      return PluginState::kBackoff;
    case picket::v1::PLUGIN_STATE_STOPPED:
      return PluginState::kStopped;
    default:  // also states that are yet to come: neither running nor gone
      return PluginState::kStopping;
  }
}

}  // namespace

Manifest ToManifest(const v1::Manifest& wire) {
  Manifest manifest{.name = wire.name(),
                    .khan = wire.khan(),
                    .source = wire.source(),
                    .khan_line = wire.khan_line()};
  for (const v1::ServiceSpec& service : wire.services()) {
    manifest.services.push_back({.name = service.name(),
                                 .api = service.api(),
                                 .inst = service.inst(),
                                 .file = service.file(),
                                 .args = {service.args().begin(), service.args().end()},
                                 .env = {service.env().begin(), service.env().end()},
                                 .horde = service.horde().empty() ? "default" : service.horde(),
                                 .line = service.line()});
  }
  return manifest;
}

std::string PlaceOf(const v1::Manifest& manifest, int index, const std::string& field) {
  const v1::ServiceSpec& service = manifest.services(index);
  std::string place = manifest.source();
  if (!place.empty() && service.line() > 0) absl::StrAppend(&place, ":", service.line());
  return absl::StrCat(place, place.empty() ? "" : ": ", "services[", index, "] (", service.name(),
                      ").", field, ": ");
}

absl::StatusOr<Document> ToDocument(const v1::Document& wire) {
  Document document{wire.epoch(), wire.revision(), wire.checksum(), wire.body()};
  if (document.epoch < 0 || document.revision < 0) {
    return absl::InvalidArgumentError("document: epoch and revision must not be negative");
  }
  if (document.epoch == 0) {
    if (document != Document()) {
      return absl::InvalidArgumentError("document: epoch 0 means that there is none");
    }
  } else if (!document.IsIntact()) {
    return absl::InvalidArgumentError("document.body does not have document.checksum");
  }
  return document;
}

v1::Document ToWire(const Document& document, bool with_body) {
  v1::Document wire;
  wire.set_epoch(document.epoch);
  wire.set_revision(document.revision);
  wire.set_checksum(document.checksum);
  if (with_body) wire.set_body(document.body);
  return wire;
}

std::set<std::string> FilesOf(const v1::DocumentBody& body) {
  std::set<std::string> files;
  for (const v1::Manifest& manifest : body.manifests()) {
    for (const v1::ServiceSpec& service : manifest.services()) {
      if (IsChecksum(service.file())) files.insert(service.file());
    }
  }
  return files;
}

PluginSpec ToSpec(const picket::v1::PluginSpec& wire) {
  return {.id = wire.id(),
          .owner = wire.owner(),
          .horde = wire.horde(),
          .api = wire.api(),
          .inst = wire.inst(),
          .file = wire.file(),
          .args = {wire.args().begin(), wire.args().end()},
          .env = {wire.env().begin(), wire.env().end()}};
}

picket::v1::PluginSpec ToWire(const PluginSpec& spec) {
  picket::v1::PluginSpec wire;
  wire.set_id(spec.id);
  wire.set_owner(spec.owner);
  wire.set_horde(spec.horde);
  wire.set_api(spec.api);
  wire.set_inst(spec.inst);
  wire.set_file(spec.file);
  for (const std::string& arg : spec.args) wire.add_args(arg);
  for (const std::string& entry : spec.env) wire.add_env(entry);
  return wire;
}

Plugin ToPlugin(const picket::v1::Plugin& wire, bool serving) {
  return {.spec = ToSpec(wire.spec()),
          .state = ToState(wire.state()),
          .serving = serving,
          .last_exit = wire.last_exit()};
}

std::vector<Plugin> ToPlugins(const v1::PluginsReport& wire) {
  const std::set<std::string> serving(wire.serving_ids().begin(), wire.serving_ids().end());
  std::map<std::string, Registration> registered;
  for (const v1::Registration& other : wire.registrations()) {
    registered[other.id()] = {other.horde(), other.api(), other.inst()};
  }
  std::vector<Plugin> plugins;
  for (const picket::v1::Plugin& plugin : wire.plugins()) {
    const std::string& id = plugin.spec().id();
    plugins.push_back(ToPlugin(plugin, serving.count(id) != 0));
    if (const auto other = registered.find(id); other != registered.end()) {
      plugins.back().registered = other->second;
    }
  }
  return plugins;
}

Assignment ToAssignment(const v1::Assignment& wire) {
  Assignment assignment;
  for (const picket::v1::PluginSpec& spec : wire.run()) assignment.run.push_back(ToSpec(spec));
  assignment.keep_ids.insert(wire.keep_ids().begin(), wire.keep_ids().end());
  return assignment;
}

v1::Assignment ToWire(const Assignment& assignment, std::int64_t revision) {
  v1::Assignment wire;
  wire.set_revision(revision);
  for (const PluginSpec& spec : assignment.run) *wire.add_run() = ToWire(spec);
  for (const std::string& id : assignment.keep_ids) wire.add_keep_ids(id);
  return wire;
}

absl::StatusOr<Hello> ToHello(const v1::FollowHello& wire) {
  if (wire.epoch() <= 0) return absl::InvalidArgumentError("hello.epoch must be above 0");
  if (!IsName(wire.node())) {
    return absl::InvalidArgumentError(absl::StrCat("hello.node: '", wire.node(), "' is no name"));
  }
  const auto address = IpAddress::Parse(wire.address());
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello.address: ", std::string(address.status().message())));
  }
  auto document = ToDocument(wire.document());
  if (!document.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello.", std::string(document.status().message())));
  }
  if (wire.losses() < 0 || wire.losses() > kLossesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello.losses: ", wire.losses(), " is not in [0, ", kLossesMax, "]"));
  }
  if (wire.losses() > 0 && document->epoch != 0) {
    return absl::InvalidArgumentError("hello.document: whoever lost it has none");
  }
  return Hello{.epoch = wire.epoch(),
               .node = wire.node(),
               .address = address->ToString(),
               .labels = {wire.labels().begin(), wire.labels().end()},
               .document = *std::move(document),
               .losses = wire.losses(),
               .plugins = ToPlugins(wire.plugins())};
}

}  // namespace radix::proctor
