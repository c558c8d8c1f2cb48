// Endpoints as the system's sockets have them.

#pragma once

#include <sys/socket.h>

#include "services/confab/address.h"

namespace radix::confab {

// Fills `out` for bind(2), connect(2) or sendto(2), in the endpoint's own family; returns how much
// of it counts.
socklen_t ToSystem(const Endpoint& endpoint, sockaddr_storage& out);

// An address of either family; an IPv4 one is held as its IPv4-mapped IPv6 address.
Endpoint FromSystem(const sockaddr_storage& from);

}  // namespace radix::confab
