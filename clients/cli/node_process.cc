#include "clients/cli/node_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/await.h"
#include "clients/cli/lab_network.h"
#include "services/confab/clock.h"
#include "services/confab/lock_file.h"
#include "services/confab/process_stat.h"

extern char** environ;

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration kStartLimit = 5s;  // of another `radix lab start`, up to NODE/pid
constexpr Duration kKillLimit = 5s;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

// The process of that number; nullopt when it is gone, or only waits to be reaped.
std::optional<ProcessId> Living(pid_t pid) {
  const auto stat = confab::ReadProcessStat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return ProcessId{pid, stat->start_ticks};
}

// The texts of /proc/PID/cmdline or environ.
std::vector<std::string> Texts(const fs::path& path) {
  std::vector<std::string> texts;
  std::istringstream all(ReadAll(path));
  for (std::string text; std::getline(all, text, '\0');) texts.push_back(text);
  return texts;
}

bool Has(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// Whether `line` is a fulcrum's, or a built-in service's, with `--state STATE`.
bool IsFulcrumOf(const std::vector<std::string>& line, const std::string& state) {
  if (line.empty() || fs::path(line[0]).filename() != "fulcrum") return false;
  const auto flag = std::find(line.begin(), line.end(), "--state");
  return flag != line.end() && flag + 1 != line.end() && *(flag + 1) == state;
}

struct Found {
  ProcessId process;
  bool is_node = false;  // the fulcrum that a node is, not one of its services
};

// Every process of the nodes: built-in services say so on their command line; plugins, and what
// those started, have it from their fulcrum in their environment. A client that somebody runs
// against a node's folder is neither.
std::vector<Found> ProcessesOf(const std::vector<LabNode>& nodes) {
  std::vector<Found> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (pid == getpid()) continue;
    const auto line = Texts(entry.path() / "cmdline");
    const auto environment = Texts(entry.path() / "environ");
    const bool supervised =
        std::any_of(environment.begin(), environment.end(), [](const std::string& variable) {
          return variable.rfind("RADIX_SUPERVISOR_PID=", 0) == 0;
        });
    bool fulcrum = false;
    const bool ours = std::any_of(nodes.begin(), nodes.end(), [&](const LabNode& node) {
      const std::string state = node.state.string();
      fulcrum = IsFulcrumOf(line, state);
      return fulcrum || (supervised && Has(environment, "RADIX_SUPERVISOR_STATE=" + state));
    });
    if (!ours) continue;
    // `fulcrum --charter ...` is a node; `fulcrum reeve --charter ...` is a service of it.
    const bool is_node = fulcrum && line[1].starts_with("-");
    if (const auto process = Living(pid)) found.push_back({*process, is_node});
  }
  return found;
}

// Waits until all of the nodes' processes have ended, those that come meanwhile included; kills
// them, if so asked. False when some are left after `limit`.
bool AwaitEnd(const std::vector<LabNode>& nodes, bool killing, Duration limit) {
  Await await(limit);
  for (;;) {
    const auto left = ProcessesOf(nodes);
    if (left.empty()) return true;
    for (const Found& each : left) {
      if (killing) kill(each.process.pid, SIGKILL);
    }
    // The first one is the oldest: a fulcrum, which ends after all that it started.
    if (!await.Again({EndOf(left.front().process).get()})) return false;
  }
}

// fulcrum writes the same as soon as it runs; until then this names it. Never half written, since
// whoever does this may be killed.
void WritePid(const LabNode& node, const ProcessId& process) {
  const fs::path path = node.state / "pid";
  const fs::path next = node.state / "pid.next";
  std::ofstream file(next);
  file << process.pid << ' ' << process.start_ticks << '\n';
  file.close();
  std::error_code error;
  if (file) {
    fs::rename(next, path, error);
  } else {  // the disk is full: an empty one makes RunningNode look
    fs::remove(next, error);
    std::ofstream(path, std::ios::trunc).close();
  }
}

// How a node's fulcrum is started: what it inherits, and what it does not. A process group of its
// own keeps the terminal's Ctrl-C and hang-up away. A session of its own would do that too, but to
// the kernel's scheduler each session is one load (autogroup): thirty nodes would take thirty times
// the share of whoever started them, and Linux 6.18 then lets a session wait for up to 19 s.
class SpawnSettings {
 public:
  explicit SpawnSettings(const fs::path& log) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    posix_spawn_file_actions_adddup2(&actions_, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

bool IsRunning(const ProcessId& process) {
  const auto living = Living(process.pid);
  return living && living->start_ticks == process.start_ticks;
}

confab::Descriptor EndOf(const ProcessId& process) {
  confab::Descriptor ended(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  return IsRunning(process) ? std::move(ended) : confab::Descriptor();
}

std::optional<ProcessId> RunningNode(const LabNode& node) {
  std::ifstream file(node.state / "pid");
  ProcessId process;
  if (file >> process.pid >> process.start_ticks) {
    return IsRunning(process) ? std::optional(process) : std::nullopt;
  }
  // Who was never started need not be looked for among all processes, which takes its time where
  // there are hundreds.
  std::error_code error;
  if (!fs::exists(node.state / "pid", error) && !fs::exists(node.state / "log", error)) {
    return std::nullopt;
  }
  // It is not there, or nothing could be written to it when the disk was full.
  for (const Found& each : ProcessesOf({node})) {
    if (each.is_node) return each.process;
  }
  return std::nullopt;
}

fs::path ProgramFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

absl::StatusOr<ProcessId> StartNode(const Lab& lab, const LabNode& node) {
  const fs::path program = ProgramFolder() / "fulcrum";
  if (access(program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("there is no program ", program.string(), "; `make build` builds it"));
  }
  // Of two that start it at one time, the later one's NODE/pid would name a process that only finds
  // the node running, and ends.
  absl::StatusOr<confab::LockFile> lock = confab::LockFile::Take(node.state / "start.lock");
  for (Await await(kStartLimit); absl::IsAlreadyExists(lock.status()) && await.Again();) {
    lock = confab::LockFile::Take(node.state / "start.lock");
  }
  if (!lock.ok()) return lock.status();
  if (const auto running = RunningNode(node)) return *running;
  std::error_code error;
  fs::create_directories(node.state / "log", error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), (node.state / "log").string());
  }

  std::vector<std::string> line = {program.string(), "--charter", lab.charter().string(),
                                   "--name",         node.name,   "--address",
                                   node.address,     "--state",   node.state.string()};
  for (const std::string& label : node.labels) line.insert(line.end(), {"--label", label});
  if (lab.flock_only) line.insert(line.end(), {"--services", "none"});
  std::vector<char*> argv;
  for (std::string& argument : line) argv.push_back(argument.data());
  argv.push_back(nullptr);

  std::optional<NetworkStay> stay;
  if (lab.netns) {
    auto entered = NetworkStay::Enter(NamespaceOf(lab.state, node.name));
    if (!entered.ok()) return entered.status();
    stay.emplace(*std::move(entered));
  }
  const SpawnSettings settings(node.state / "log" / "fulcrum.log");
  ProcessId process;
  const int failure = posix_spawn(&process.pid, program.c_str(), settings.actions(),
                                  settings.attributes(), argv.data(), environ);
  if (failure != 0) {
    return absl::InternalError(
        absl::StrCat("cannot start ", program.string(), ": ", std::strerror(failure)));
  }
  if (const auto living = Living(process.pid)) process = *living;
  WritePid(node, process);
  return process;
}

absl::Status EndNodes(const std::vector<LabNode>& nodes, int signal, Duration limit) {
  std::set<pid_t> fulcrums;
  for (const LabNode& node : nodes) {
    if (const auto process = RunningNode(node)) fulcrums.insert(process->pid);
  }
  // Who was killed while it started a node may not have written NODE/pid.
  for (const Found& each : ProcessesOf(nodes)) {
    if (each.is_node) fulcrums.insert(each.process.pid);
  }
  for (const pid_t pid : fulcrums) {
    kill(pid, signal);
    kill(pid, SIGCONT);  // a stopped one would never see it
  }
  // What a plugin started outlives a fulcrum that is killed; what was asked for is a power failure.
  if (AwaitEnd(nodes, signal == SIGKILL, limit) || AwaitEnd(nodes, true, kKillLimit)) {
    return absl::OkStatus();
  }
  std::string pids;
  for (const Found& each : ProcessesOf(nodes)) absl::StrAppend(&pids, " ", each.process.pid);
  return absl::DeadlineExceededError(absl::StrCat("these processes do not end:", pids));
}

}  // namespace radix::cli
