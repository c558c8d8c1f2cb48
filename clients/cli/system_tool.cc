#include "clients/cli/system_tool.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/confab/descriptor.h"

extern char** environ;

namespace radix::cli {
namespace {

constexpr std::size_t kWordsMax = 2000;  // of what a tool says, in bytes
constexpr int kEndLimitMs = 60'000;      // a thousand namespaces take nine seconds

// A file in memory: unlike a pipe it takes all of a text at once, and nobody waits for anybody.
absl::StatusOr<confab::Descriptor> Memory(const std::string& text) {
  confab::Descriptor file(memfd_create("tool", MFD_CLOEXEC));
  if (!file || pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return absl::ErrnoToStatus(errno, "memfd");
  return file;
}

std::string Words(const confab::Descriptor& file) {
  std::string text(kWordsMax, '\0');
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<pid_t> Start(std::vector<std::string>& line, int input, int words) {
  std::vector<char*> argv;
  for (std::string& argument : line) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, words, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int failure =
      posix_spawn(&pid, line[0].c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return absl::ErrnoToStatus(failure, line[0]);
  return pid;
}

}  // namespace

absl::StatusOr<std::string> FindTool(const std::string& name, const std::string& package) {
  const char* path = std::getenv("PATH");
  std::vector<std::string> folders =
      absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty());
  folders.insert(folders.end(), {"/usr/sbin", "/sbin"});
  for (const std::string& folder : folders) {
    std::string file = absl::StrCat(folder, "/", name);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return absl::NotFoundError(
      absl::StrCat("there is no program `", name, "`; install the package ", package));
}

absl::Status RunTool(const std::string& path, const std::vector<std::string>& arguments,
                     const std::string& input) {
  const auto in = Memory(input);
  const auto words = Memory("");
  if (!in.ok()) return in.status();
  if (!words.ok()) return words.status();
  const auto tied = FindTool("setpriv", "util-linux");
  if (!tied.ok()) return tied.status();
  std::vector<std::string> line = {*tied, "--pdeathsig", "KILL", path};
  line.insert(line.end(), arguments.begin(), arguments.end());
  const auto pid = Start(line, in->get(), words->get());
  if (!pid.ok()) return pid.status();
  const confab::Descriptor ended(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  pollfd end{ended.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&end, 1, kEndLimitMs);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) kill(*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("`", path, " ", absl::StrJoin(arguments, " "), "` failed: ", Words(*words)));
}

}  // namespace radix::cli
