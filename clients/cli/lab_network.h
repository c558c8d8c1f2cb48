// The network of a lab whose nodes have a network namespace each, as machines of their own would.
//
//   namespace radix-TAG-n1          namespace radix-TAG-hub
//   +--------------------+          +--------------------------------+
//   | n1's fulcrum  eth0 |----------| v1                             |   routes by address, drops
//   +--------------------+     .----| v2      table `radix` of nft   |   what it is told to drop
//                             ...   +--------------------------------+
//
// The hub is a router and no bridge: on a bridge every node asks for every other one's hardware
// address, and a question is copied to all of them; with 200 nodes that took two processors 23 s,
// and more entries than the kernel holds for all namespaces together, which then drops without an
// error. Here all of these are written down beforehand, and nobody asks. (Measured: DESIGN.md.)
//
// The machine's own network is not touched: all of it is in these namespaces, and goes with them.
// TAG follows from the lab's folder, so that they are found although lab.json is gone.

#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "services/confab/descriptor.h"

namespace radix::cli {

// The name of the namespace of the node `name`, or, as "hub", of the router.
std::string NamespaceOf(const std::filesystem::path& state, const std::string& name);

// Whether this user may make such a network, and has what it takes: FailedPrecondition or NotFound,
// saying what is missing.
absl::Status CheckNetworkTools();

// Makes the network of `lab`, in place of what was left of an earlier one. Internal, with the words
// of the tool that failed; then some of it may be there.
absl::Status MakeNetwork(const Lab& lab);

// Removes what there is of the network of the lab at `state`; Ok when there is none. What runs in
// it must have ended before. Internal, as MakeNetwork.
absl::Status RemoveNetwork(const std::filesystem::path& state);

// From now on no datagram passes between `nodes` and the others; between all, where it is empty.
// FailedPrecondition for a lab without such a network; Internal, as MakeNetwork.
absl::Status Cut(const Lab& lab, const std::vector<LabNode>& nodes);

// While it lives, what the calling thread opens and starts is in a namespace.
class NetworkStay {
 public:
  // NotFound when there is no such namespace; FailedPrecondition when the system refuses it.
  static absl::StatusOr<NetworkStay> Enter(const std::string& name);

  ~NetworkStay();
  NetworkStay(NetworkStay&&) = default;
  NetworkStay& operator=(NetworkStay&&) = delete;

 private:
  explicit NetworkStay(confab::Descriptor home) : home_(std::move(home)) {}

  confab::Descriptor home_;  // none once it was moved from
};

}  // namespace radix::cli
