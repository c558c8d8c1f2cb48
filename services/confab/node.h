// What a process knows of the node it runs on: told by flags to built-in services, by environment
// variables to plugins.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/charter.h"

namespace radix::confab {

class Identity;

// The longest path that a Unix socket may have, in bytes: sun_path less its terminating zero; and
// that a state folder may have, for all the sockets in it to fit.
constexpr std::size_t kSocketPathBytesMax = 107;
constexpr std::size_t kStatePathBytesMax =
    kSocketPathBytesMax - sizeof "doors/0123456789/heartbeater.sock";

// One node, as the processes on it see it.
struct Node {
  std::string name;             // 1 to 63 characters of [a-z0-9-]
  IpAddress address;            // one of its bloc's ranges
  std::filesystem::path state;  // the node's own folder, mode 0700
  std::vector<std::string> labels;
  std::string flock_id;  // the flock it belongs to, its bloc's name; empty where nobody said
  // Who this process is. Without one it speaks plaintext, and on loopback addresses only.
  std::shared_ptr<Identity> identity;

  // The Unix socket on which the built-in `service` of this node listens.
  std::filesystem::path SocketOf(const std::string& service) const {
    return state / (service + ".sock");
  }
};

// The same arguments for every built-in service:
// `fulcrum reeve --charter F --name N --address A --state DIR [--label L]... [--epoch E]
//                [--services none]`.
struct ServiceArguments {
  std::filesystem::path charter_path;
  Charter charter;
  Node node;
  std::uint64_t epoch = 0;  // steward's and proctor's; 0 for the others
  bool flock_only = false;  // --services none: the node runs flock, and nothing else
};

// Reads them. InvalidArgument with a message for the user; NotFound and others as LoadCharter.
absl::StatusOr<ServiceArguments> ParseServiceArguments(int argc, const char* const* argv);

// The command line that ParseServiceArguments reads, without the program and the service.
std::vector<std::string> ToCommandLine(const ServiceArguments& arguments);

// Reads RADIX_NODE, RADIX_ADDRESS, RADIX_STATE and RADIX_FLOCK, which picket sets for every plugin.
// FailedPrecondition, naming the variable, when one is malformed, or missing; only RADIX_FLOCK may
// be: who runs a service by hand need not know it.
absl::StatusOr<Node> NodeFromEnvironment();

// Reads `--services`: `all`, or `none` for a node that runs nothing but flock, which is returned as
// true. InvalidArgument with a message for the user.
absl::StatusOr<bool> IsFlockOnly(const std::string& services);

// Whether `text` may be a label: 1 to 128 printable characters, as `tag` or `key=value`.
bool IsLabel(const std::string& text);

}  // namespace radix::confab
