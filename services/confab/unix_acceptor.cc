#include "services/confab/unix_acceptor.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/accept_loop.h"

namespace radix::confab {
namespace {

constexpr int kUnixBacklog = 1024;

absl::Status Failed(const std::string& name, const char* what) {
  return absl::FailedPreconditionError(
      absl::StrCat(name, ": cannot be ", what, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixAcceptor>> UnixAcceptor::Listen(
    const std::filesystem::path& path, std::size_t connections_max,
    std::optional<std::uint32_t> group) {
  const std::string name = path.string();
  if (unlink(name.c_str()) != 0 && errno != ENOENT) return Failed(name, "removed");
  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (!listener ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Failed(name, "bound");
  }
  // To connect takes the right to write, and that somebody listens.
  const bool let = group ? chown(name.c_str(), static_cast<uid_t>(-1), *group) == 0 &&
                               chmod(name.c_str(), 0660) == 0
                         : chmod(name.c_str(), 0600) == 0;
  if (!let) return Failed(name, "opened to its group");
  if (listen(listener.get(), kUnixBacklog) != 0) return Failed(name, "listened at");
  return std::unique_ptr<UnixAcceptor>(
      new UnixAcceptor(path, connections_max, std::move(listener)));
}

UnixAcceptor::UnixAcceptor(std::filesystem::path path, std::size_t connections_max,
                           Descriptor listener)
    : path_(std::move(path)), connections_max_(connections_max), listener_(std::move(listener)) {}

UnixAcceptor::~UnixAcceptor() {
  if (id_ != 0) AcceptLoop::Get().Remove(id_);
  unlink(path_.c_str());
}

void UnixAcceptor::Begin(Hand hand) {
  id_ = AcceptLoop::Get().Add(listener_.get(), connections_max_, path_.string(), std::move(hand));
}

}  // namespace radix::confab
