#include "services/confab/socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace radix::confab {
namespace {

// IPv4 is held as its IPv4-mapped IPv6 address: the last four bytes are the address.
constexpr std::size_t kV4At = 12;

}  // namespace

socklen_t ToSystem(const Endpoint& endpoint, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (endpoint.ip.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    std::memcpy(&v4->sin_addr, endpoint.ip.bytes.data() + kV4At, sizeof v4->sin_addr);
    return sizeof *v4;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(endpoint.port);
  std::memcpy(&v6->sin6_addr, endpoint.ip.bytes.data(), endpoint.ip.bytes.size());
  return sizeof *v6;
}

Endpoint FromSystem(const sockaddr_storage& from) {
  Endpoint endpoint;
  if (from.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
    endpoint.ip.bytes[kV4At - 2] = endpoint.ip.bytes[kV4At - 1] = 0xff;
    std::memcpy(endpoint.ip.bytes.data() + kV4At, &v4->sin_addr, sizeof v4->sin_addr);
    endpoint.port = ntohs(v4->sin_port);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
    std::memcpy(endpoint.ip.bytes.data(), &v6->sin6_addr, endpoint.ip.bytes.size());
    endpoint.port = ntohs(v6->sin6_port);
  }
  return endpoint;
}

}  // namespace radix::confab
