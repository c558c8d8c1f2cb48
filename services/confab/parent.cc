#include "services/confab/parent.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix::confab {
namespace {

constexpr int kSendWaitMs = 1000;

std::optional<int> NumberFromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::atoi(text);
}

// The room that one descriptor takes in a control message.
struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

}  // namespace

void DieWithParent() {
  const auto parent = NumberFromEnvironment("RADIX_SUPERVISOR_PID");
  if (!parent) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == *parent) return;
  // It died before the line above; or this was started by somebody in between, who would outlive
  // it.
  constexpr std::string_view kWhy =
      "this is not a child of the supervisor any more; a script must `exec` its program\n";
  if (write(STDERR_FILENO, kWhy.data(), kWhy.size()) < 0) _exit(1);
  _exit(1);
}

void BeginService(const char* name) {
  DieWithParent();
  prctl(PR_SET_NAME, name);
  std::set_new_handler([] {
    constexpr std::string_view kWhy = "there is no more memory for this process\n";
    if (write(STDERR_FILENO, kWhy.data(), kWhy.size()) < 0) _exit(1);
    _exit(1);
  });
}

std::optional<int> SupervisorFd() { return NumberFromEnvironment("RADIX_SUPERVISOR_FD"); }

void NotifyReady() {
  if (const auto link = SupervisorFd()) SendMessage(*link, {{"ready", true}}).IgnoreError();
}

void NotifyAlive() {
  static constexpr std::string_view kMessage = R"({"alive":true})";
  const auto link = SupervisorFd();
  int unread = 0;
  if (!link || ioctl(*link, SIOCOUTQ, &unread) != 0 || unread != 0) return;
  send(*link, kMessage.data(), kMessage.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

absl::Status SendMessage(int link, const nlohmann::json& message, int fd) {
  // Bytes that are no UTF-8 are replaced: dump would throw.
  std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kSupervisorMessageBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("message of ", text.size(), " bytes is too long"));
  }
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ControlBuffer control;
  if (fd >= 0) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  while (sendmsg(link, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    pollfd writable{link, POLLOUT, 0};
    if (errno != EAGAIN || poll(&writable, 1, kSendWaitMs) <= 0) {
      return absl::UnavailableError(absl::StrCat("supervisor link: ", std::strerror(errno)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LinkMessage> ReceiveMessage(int link) {
  std::string text(kSupervisorMessageBytesMax, '\0');
  iovec part{text.data(), text.size()};
  ControlBuffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t size = 0;
  do {
    size = recvmsg(link, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return absl::UnavailableError("the other end of the supervisor link is gone");
  LinkMessage message;
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&message.fd, CMSG_DATA(rights), sizeof message.fd);
  }
  message.body = nlohmann::json::parse(text.begin(), text.begin() + size, nullptr, false);
  if (!message.body.is_object()) {
    if (message.fd >= 0) close(message.fd);
    return absl::InvalidArgumentError("a message on the supervisor link is no JSON object");
  }
  return message;
}

}  // namespace radix::confab
