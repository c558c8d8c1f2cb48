// Between the wire and the core: manifests, documents, plugins, assignments.

#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "radix/picket/v1/picket.pb.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/proctor/acceptor.h"
#include "services/proctor/document.h"
#include "services/proctor/manifest.h"
#include "services/proctor/nodes.h"
#include "services/proctor/plan.h"

namespace radix::proctor {

// Not checked: see Check in manifest.h. An empty horde becomes `default`.
Manifest ToManifest(const v1::Manifest& wire);

// Where a field of that service stands, for messages: "FILE:LINE: services[0] (name).field: ".
std::string PlaceOf(const v1::Manifest& manifest, int index, const std::string& field);

// InvalidArgument, naming the field, unless the numbers are not negative, and the body is what the
// checksum says (or both are empty, at epoch 0).
absl::StatusOr<Document> ToDocument(const v1::Document& wire);

// Without the body when only the document's name is meant.
v1::Document ToWire(const Document& document, bool with_body);

// Every checksum of a file that the manifests in `body` name, in `sha256:` form.
std::set<std::string> FilesOf(const v1::DocumentBody& body);

PluginSpec ToSpec(const picket::v1::PluginSpec& wire);
picket::v1::PluginSpec ToWire(const PluginSpec& spec);

// `serving` is for the caller to know: picket does not.
Plugin ToPlugin(const picket::v1::Plugin& wire, bool serving);

std::vector<Plugin> ToPlugins(const v1::PluginsReport& wire);

Assignment ToAssignment(const v1::Assignment& wire);
v1::Assignment ToWire(const Assignment& assignment, std::int64_t revision);

// A dean's first message, checked.
struct Hello {
  std::int64_t epoch = 0;
  std::string node;
  std::string address;  // canonical
  std::vector<std::string> labels;
  Document document;
  int losses = 0;  // as in AcceptorState
  std::vector<Plugin> plugins;
  // The fingerprint of the key that its node has; not a word of the message: see CallingNode.
  std::optional<std::uint64_t> proved = std::nullopt;
};

// InvalidArgument, naming the field.
absl::StatusOr<Hello> ToHello(const v1::FollowHello& wire);

}  // namespace radix::proctor
