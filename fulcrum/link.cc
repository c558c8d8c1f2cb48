#include "fulcrum/link.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix::fulcrum {

absl::StatusOr<std::pair<Link, confab::Descriptor>> Link::Make() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("socketpair: ", std::strerror(errno)));
  }
  return std::pair{Link(confab::Descriptor(ends[0])), confab::Descriptor(ends[1])};
}

bool Link::Send(const nlohmann::json& message) {
  if (queue_.size() >= kQueueMax) return false;
  // What a service said may come back to it, such as a tag; it need not be UTF-8.
  queue_.push_back(message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  Flush();
  return true;
}

void Link::Flush() {
  while (!queue_.empty()) {
    const std::string& text = queue_.front();
    if (send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOBUFS) return;
      queue_.clear();  // the other end is gone; reading will say so
      return;
    }
    queue_.pop_front();
  }
}

}  // namespace radix::fulcrum
