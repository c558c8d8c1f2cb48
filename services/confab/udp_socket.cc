#include "services/confab/udp_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/socket_address.h"

namespace radix::confab {
namespace {

// Room for a burst from every member; the kernel cuts it to what it allows.
constexpr int kBufferBytes = 4 << 20;

absl::Status Failure(const Endpoint& local, int error) {
  const std::string at = absl::StrCat("UDP ", local.ToString(), ": ");
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrCat(at, "the port is in use; is this node already running?"));
  }
  if (error == EADDRNOTAVAIL) {
    return absl::FailedPreconditionError(
        absl::StrCat(at, "the address is none of this machine's interfaces"));
  }
  return absl::FailedPreconditionError(absl::StrCat(at, std::strerror(error)));
}

}  // namespace

UdpSocket::UdpSocket(Descriptor fd, const Endpoint& local, std::size_t size_max)
    : fd_(std::move(fd)), local_(local), size_max_(size_max), batch_(std::make_unique<Batch>()) {
  batch_->bytes.resize(kBatch * size_max);
}

absl::StatusOr<UdpSocket> UdpSocket::Open(const Endpoint& local, std::size_t size_max) {
  sockaddr_storage address;
  const socklen_t size = ToSystem(local, address);
  Descriptor fd(socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Failure(local, errno);
  for (const int buffer : {SO_RCVBUF, SO_SNDBUF}) {  // smaller ones do as well
    (void)setsockopt(fd.get(), SOL_SOCKET, buffer, &kBufferBytes, sizeof kBufferBytes);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    return Failure(local, errno);
  }
  sockaddr_storage bound;
  socklen_t bound_size = sizeof bound;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &bound_size) != 0) {
    return Failure(local, errno);
  }
  return UdpSocket(std::move(fd), FromSystem(bound), size_max);
}

bool UdpSocket::Send(const Endpoint& to, std::span<const std::uint8_t> bytes) {
  sockaddr_storage address;
  const socklen_t size = ToSystem(to, address);
  ssize_t sent = 0;
  do {
    sent = sendto(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address), size);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

std::span<const Datagram> UdpSocket::Receive() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    batch_->parts[i] = {batch_->bytes.data() + i * size_max_, size_max_};
    batch_->headers[i] = {};
    batch_->headers[i].msg_hdr.msg_name = &batch_->from[i];
    batch_->headers[i].msg_hdr.msg_namelen = sizeof batch_->from[i];
    batch_->headers[i].msg_hdr.msg_iov = &batch_->parts[i];
    batch_->headers[i].msg_hdr.msg_iovlen = 1;
  }
  // An error here is one that an earlier datagram left behind (ICMP); there is nothing to do.
  const int got = recvmmsg(fd_.get(), batch_->headers.data(), kBatch, 0, nullptr);
  std::size_t count = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(got, 0)); ++i) {
    if ((batch_->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      ++too_long_;
      continue;
    }
    batch_->datagrams[count++] = {
        FromSystem(batch_->from[i]),
        {batch_->bytes.data() + i * size_max_, batch_->headers[i].msg_len}};
  }
  return {batch_->datagrams.data(), count};
}

}  // namespace radix::confab
