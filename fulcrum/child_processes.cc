#include "fulcrum/child_processes.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "fulcrum/process_tree.h"
#include "fulcrum/spawn.h"
#include "services/confab/parent.h"

namespace radix::fulcrum {

absl::StatusOr<pid_t> ChildProcesses::Start(ChildOptions options, Instant now) {
  std::optional<Link> link;
  options.env.push_back(absl::StrCat("RADIX_SUPERVISOR_PID=", getpid()));
  // By this the processes of a node are found: RADIX_STATE of a plugin is the folder of its door.
  options.env.push_back(absl::StrCat("RADIX_SUPERVISOR_STATE=", state_.string()));
  if (options.file) {
    options.argv.insert(options.argv.begin(), {"fulcrum", "launch", absl::StrCat(options.uid)});
  } else {
    auto ends = Link::Make();
    if (!ends.ok()) return ends.status();
    link = std::move(ends->first);
    options.file = std::move(ends->second);
    options.env.emplace_back("RADIX_SUPERVISOR_FD=3");  // which SpawnProcess makes it
    options.env.insert(options.env.end(), own_env_.begin(), own_env_.end());
  }
  const auto pid = SpawnProcess({.program = program_,
                                 .argv = std::move(options.argv),
                                 .env = std::move(options.env),
                                 .log = state_ / "log" / (options.name + ".log"),
                                 .descriptor = options.file.get(),
                                 .memory_max = link ? memory_max_ : 0});
  if (!pid.ok()) return pid;
  if (link) watchdog_.Watch(*pid, now);
  children_.insert_or_assign(*pid, Child{std::move(options.name), std::move(link)});
  return pid;
}

void ChildProcesses::Tell(pid_t pid, const nlohmann::json& message) {
  const auto child = children_.find(pid);
  if (child == children_.end() || !child->second.link || child->second.link->Send(message)) return;
  spdlog::warn("{}: does not read what it is told; starting it again", child->second.name);
  KillGroup(pid);
}

void ChildProcesses::Terminate(pid_t pid) {
  kill(pid, SIGTERM);
  kill(pid, SIGCONT);     // a stopped one would never see it
  watchdog_.Forget(pid);  // from now on it has a limit of another kind
}

void ChildProcesses::HandleExit(pid_t pid) {
  children_.erase(pid);
  watchdog_.Forget(pid);
}

void ChildProcesses::AddPolled(std::vector<pollfd>& polled) {
  polled_.clear();
  for (const auto& [pid, child] : children_) {
    if (!child.link) continue;
    const int events = child.link->has_queued() ? POLLIN | POLLOUT : POLLIN;
    polled.push_back({child.link->fd(), static_cast<short>(events), 0});
    polled_.push_back(pid);
  }
}

void ChildProcesses::Receive(std::span<const pollfd> polled, const Handler& handler) {
  for (std::size_t i = 0; i < polled.size(); ++i) {
    const auto child = children_.find(polled_[i]);
    if (child == children_.end() || !child->second.link) continue;  // an earlier message ended it
    if ((polled[i].revents & POLLOUT) != 0) child->second.link->Flush();
    if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) ReceiveFrom(polled_[i], handler);
  }
}

void ChildProcesses::ReceiveFrom(pid_t pid, const Handler& handler) {
  Child& child = children_.at(pid);
  auto message = confab::ReceiveMessage(child.link->fd());
  absl::Status problem = message.status();
  if (message.ok()) problem = handler(pid, message->body, confab::Descriptor(message->fd));
  if (problem.ok()) return;
  if (!absl::IsUnavailable(problem)) {
    spdlog::warn("{}: {}", child.name, std::string(problem.message()));
    if (!child.link->CountBad()) return;
  }
  // Without its link a service is of no use; it ends by itself, or is helped to.
  child.link.reset();
  KillGroup(pid);
}

void ChildProcesses::HandleTimeout(Instant now) {
  for (const auto& [pid, silence] : watchdog_.HandleTimeout(now)) {
    spdlog::warn("{}: process {} hangs: it did not say for {} s that it is alive; killing it",
                 children_.at(pid).name, pid, silence / 1s);
    KillGroup(pid);
  }
}

}  // namespace radix::fulcrum
