#include "clients/cli/port_check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "services/confab/address.h"

namespace radix::cli {
namespace {

bool IsFree(const Endpoint& endpoint, int type) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;  // fulcrum will say what is wrong
  // Connections of a lab that just ended may linger; they do not count as a listener.
  const int on = 1;
  if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.ip.bytes.data() + 12, 4);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof generic);
  const bool taken = bind(fd, &generic, sizeof address) != 0 && errno == EADDRINUSE;
  close(fd);
  return !taken;
}

}  // namespace

absl::Status CheckPortsFree(const Lab& lab, const LabNode& node) {
  const auto ip = IpAddress::Parse(node.address);
  if (!ip.ok() || !ip->is_v4()) return absl::OkStatus();
  const auto port = static_cast<std::uint16_t>(lab.port);
  const auto next = static_cast<std::uint16_t>(lab.port + 1);
  struct Wanted {
    Endpoint endpoint;
    int type;
    const char* name;
  };
  for (const Wanted& each :
       {Wanted{{*ip, port}, SOCK_DGRAM, "UDP"}, Wanted{{*ip, port}, SOCK_STREAM, "TCP"},
        Wanted{{*ip, next}, SOCK_STREAM, "TCP"}}) {
    if (IsFree(each.endpoint, each.type)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("port in use: ", each.name, " ", each.endpoint.ToString(), " (", node.name,
                     "); stop what listens there, or choose another --port or --range"));
  }
  return absl::OkStatus();
}

}  // namespace radix::cli
