#include "fulcrum/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/descriptor.h"

namespace radix::fulcrum {
namespace {

using confab::Descriptor;

Descriptor OpenLog(const std::filesystem::path& path) {
  // Not blocking: should a pipe stand there, opening it must not wait for its reader.
  Descriptor log(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600));
  if (log) return log;
  spdlog::warn("{}: {}; what it would get is lost", path.string(), std::strerror(errno));
  return Descriptor(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

// What is to be done between fork and exec.
class Actions {
 public:
  Actions(int log, int descriptor) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, log, 1);
    posix_spawn_file_actions_adddup2(&actions_, log, 2);
    if (descriptor >= 0) posix_spawn_file_actions_adddup2(&actions_, descriptor, 3);
    posix_spawn_file_actions_addclosefrom_np(&actions_, descriptor >= 0 ? 4 : 3);
  }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

constexpr rlim_t kStackBytes = 1 << 20;

// A limit that children inherit, and this process has only as long as this object lives. (This
// process could not raise it again if the hard one were lowered.)
class SoftLimit {
 public:
  SoftLimit(__rlimit_resource resource, rlim_t most) : resource_(resource) {
    if (getrlimit(resource, &before_) != 0) return;
    const rlimit limit{std::min(most, before_.rlim_max), before_.rlim_max};
    lowered_ = setrlimit(resource, &limit) == 0;
  }
  ~SoftLimit() {
    if (lowered_) setrlimit(resource_, &before_);
  }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;

 private:
  const __rlimit_resource resource_;
  rlimit before_{};
  bool lowered_ = false;
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<pid_t> SpawnProcess(const SpawnOptions& options) {
  const Descriptor log = OpenLog(options.log);
  const Actions actions(log.get(), options.descriptor);
  const Attributes attributes;
  std::optional<SoftLimit> data;
  std::optional<SoftLimit> stack;
  if (options.memory_max > 0) {
    data.emplace(RLIMIT_DATA, options.memory_max);
    stack.emplace(RLIMIT_STACK, kStackBytes);
  }
  pid_t pid = 0;
  const int error = posix_spawn(&pid, options.program.c_str(), actions.get(), attributes.get(),
                                Pointers(options.argv).data(), Pointers(options.env).data());
  if (error != 0) {
    return absl::InternalError(absl::StrCat(options.program.string(), ": ", std::strerror(error)));
  }
  return pid;
}

}  // namespace radix::fulcrum
