// Whether a port can be had, and if not, why.

#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "services/confab/address.h"

namespace radix::confab {

enum class Transport { kTcp, kUdp };

// Binds a socket to `endpoint`, listens where that is TCP, and lets it go again. Connections of
// a process that has just ended do not count as a listener.
//
// AlreadyExists when another process has the port; FailedPrecondition when the system refuses it
// for another reason, for example because the address is none of this machine's;
// ResourceExhausted when there is no socket to try it with. The message names the endpoint, and
// says what to do about a port in use.
absl::Status CheckBindable(Transport transport, const Endpoint& endpoint);

// The same for all that a node of a bloc with `port` needs at its address: UDP for flock, TCP for
// reeve, and TCP on the next port for the steward.
absl::Status CheckNodePorts(const IpAddress& address, std::uint16_t port);

// Why bind(2) or listen(2) on `endpoint` failed, by errno: what CheckBindable says.
absl::Status CannotBind(Transport transport, const Endpoint& endpoint);

}  // namespace radix::confab
