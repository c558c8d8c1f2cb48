// Accepts a server's connections at a Unix socket in gRPC's stead.
//
// gRPC 1.51 takes as many as come, and at the limit of open files it closes its listening socket
// for good. Here there are only so many at a time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "services/confab/descriptor.h"

namespace radix::confab {

// Listens from Begin until it is destroyed. One thread does so for all of a process: it may have
// hundreds of servers. Thread-safe, but for its beginning and its end.
class UnixAcceptor {
 public:
  // Gives a connection to gRPC. `listener` is only its name.
  using Hand = std::function<void(int listener, int connection)>;

  // Takes the place of whatever socket is at `path`, so its caller has to know that nobody listens
  // there. `group` may connect as well; nullopt: nobody but this user. At most `connections_max`
  // at a time, more are closed at once. FailedPrecondition, with the system's message: it cannot be
  // had. Requires: `path` fits (node.h).
  static absl::StatusOr<std::unique_ptr<UnixAcceptor>> Listen(const std::filesystem::path& path,
                                                              std::size_t connections_max,
                                                              std::optional<std::uint32_t> group);
  // Removes the socket; connections that gRPC has go on.
  ~UnixAcceptor();
  UnixAcceptor(const UnixAcceptor&) = delete;
  UnixAcceptor& operator=(const UnixAcceptor&) = delete;

  // Until then whoever connects waits.
  void Begin(Hand hand);

 private:
  UnixAcceptor(std::filesystem::path path, std::size_t connections_max, Descriptor listener);

  const std::filesystem::path path_;
  const std::size_t connections_max_;
  const Descriptor listener_;
  std::uint64_t id_ = 0;  // 0 before Begin
};

}  // namespace radix::confab
