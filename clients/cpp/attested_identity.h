// Who a basic service is: its node says so.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/cpp/network.h"

namespace radix {

// `node` as its own basic `service` sees it, for example "reeve": with an identity by which Serve
// and Dial speak TLS to basic services of other nodes. Its certificates carry the node's word for
// it, signed by the key in STATE/node.key, and so do those that it believes, of nodes that live;
// who these are it hears from the node's reeve, for as long as the identity exists. Who may call
// whom is built in (services/trust/rules.h).
//
// Errors: as confab::LoadOrMakeNodeKey; Internal, if no key could be made.
absl::StatusOr<Network> AttestedNetwork(const confab::Node& node, const std::string& service);

}  // namespace radix
