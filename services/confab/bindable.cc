#include "services/confab/bindable.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/descriptor.h"
#include "services/confab/socket_address.h"

namespace radix::confab {
namespace {

bool Bind(const Descriptor& socket, const Endpoint& endpoint) {
  sockaddr_storage storage{};
  const socklen_t size = ToSystem(endpoint, storage);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0;
}

std::string NameOf(Transport transport, const Endpoint& endpoint) {
  return absl::StrCat(transport == Transport::kTcp ? "TCP " : "UDP ", endpoint.ToString());
}

}  // namespace

absl::Status CannotBind(Transport transport, const Endpoint& endpoint) {
  const std::string name = NameOf(transport, endpoint);
  if (errno == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrCat(name, ": the port is in use; end what has it, or choose another"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cannot use ", name, ": ", std::strerror(errno)));
}

absl::Status CheckBindable(Transport transport, const Endpoint& endpoint) {
  const bool tcp = transport == Transport::kTcp;
  const Descriptor socket(::socket(endpoint.ip.is_v4() ? AF_INET : AF_INET6,
                                   (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat(NameOf(transport, endpoint), ": ", std::strerror(errno)));
  }
  const int yes = 1;
  if (tcp) setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (Bind(socket, endpoint) && (!tcp || listen(socket.get(), 1) == 0)) return absl::OkStatus();
  return CannotBind(transport, endpoint);
}

absl::Status CheckNodePorts(const IpAddress& address, std::uint16_t port) {
  const auto next = static_cast<std::uint16_t>(port + 1);
  for (const auto& [transport, each] :
       {std::pair(Transport::kUdp, port), {Transport::kTcp, port}, {Transport::kTcp, next}}) {
    if (absl::Status status = CheckBindable(transport, {address, each}); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace radix::confab
