// A UDP socket for datagrams that may get lost: every failure to send is one more loss.

#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/descriptor.h"

namespace radix::confab {

// One datagram as it came in.
struct Datagram {
  Endpoint from;
  std::span<const std::uint8_t> bytes;
};

// Bound to one address and port, which nobody else can share; never blocks. Speaks IPv4 or IPv6,
// whichever its own address is. Not thread-safe.
class UdpSocket {
 public:
  // Opens a socket at `local`; port 0 takes a free one. Datagrams longer than `size_max` are
  // dropped on arrival, and counted.
  //
  // Errors: AlreadyExists, when the port is in use; FailedPrecondition, when the address is none of
  // this machine's, or as socket(2) and bind(2) fail. The message names address and port.
  static absl::StatusOr<UdpSocket> Open(const Endpoint& local, std::size_t size_max);

  // Readable when something has arrived; for poll(2).
  int fd() const { return fd_.get(); }
  const Endpoint& local() const { return local_; }

  // Sends one datagram. False when it is lost already: no route, no room, refused by a firewall,
  // an address of the other family.
  bool Send(const Endpoint& to, std::span<const std::uint8_t> bytes);

  // Takes what has arrived, at most kBatch at once; empty when nothing waits. What was too long is
  // left out, so a batch may also be empty although more waits: fd() says so. Valid until the next
  // call. Allocates nothing.
  std::span<const Datagram> Receive();

  // How many datagrams were too long so far.
  std::uint64_t too_long() const { return too_long_; }

  static constexpr std::size_t kBatch = 16;

 private:
  // The buffers of one Receive, at addresses that do not change.
  struct Batch {
    std::vector<std::uint8_t> bytes;
    std::array<sockaddr_storage, kBatch> from;
    std::array<iovec, kBatch> parts;
    std::array<mmsghdr, kBatch> headers;
    std::array<Datagram, kBatch> datagrams;
  };

  UdpSocket(Descriptor fd, const Endpoint& local, std::size_t size_max);

  Descriptor fd_;
  Endpoint local_;
  std::size_t size_max_;
  std::uint64_t too_long_ = 0;
  std::unique_ptr<Batch> batch_;
};

}  // namespace radix::confab
