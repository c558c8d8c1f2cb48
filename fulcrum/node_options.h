// What a node is told on fulcrum's command line, and what it finds out for itself.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/node.h"

namespace radix::fulcrum {

// The address among `candidates`, those of this machine's interfaces, that lies in `ranges`.
// FailedPrecondition, listing them, when there is not exactly one.
absl::StatusOr<IpAddress> ChooseAddress(const AddressRanges& ranges,
                                        const std::vector<IpAddress>& candidates);

// A host name as a node's name: in lower case, up to the first dot. InvalidArgument when that is
// no node name.
absl::StatusOr<std::string> NameFromHost(const std::string& host);

// What was written on the command line; empty where nothing was.
struct NodeFlags {
  std::filesystem::path charter;
  std::string name;
  std::string address;
  std::filesystem::path state;
  std::vector<std::string> labels;
  bool flock_only = false;  // --services none
};

// Reads `--charter F [--name N] [--address A] [--state DIR] [--label L]... [--services all|none]`.
// InvalidArgument, with a message for the user: this is about usage only.
absl::StatusOr<NodeFlags> ParseNodeFlags(int argc, const char* const* argv);

// Fills in the defaults and checks it all, the charter and the key file too. Paths come back
// absolute. Errors carry a message for the user, naming the flag or the file and line.
absl::StatusOr<confab::ServiceArguments> ResolveNode(const NodeFlags& flags);

}  // namespace radix::fulcrum
