#include "fulcrum/supervisor.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fulcrum/log_folder.h"
#include "fulcrum/process_tree.h"
#include "fulcrum/spawn.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"

extern char** environ;

namespace radix::fulcrum {
namespace {

using confab::Descriptor;
using confab::Now;

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, each);
  return signals;
}

// This process's environment, less what is the supervisor's to say.
std::vector<std::string> Inherited() {
  std::vector<std::string> variables;
  for (char** each = environ; *each != nullptr; ++each) {
    if (std::string(*each).starts_with("RADIX_SUPERVISOR_")) continue;
    variables.emplace_back(*each);
  }
  return variables;
}

constexpr Duration kUpkeepPeriod = 1s;

std::string ParentVariable() { return absl::StrCat("RADIX_SUPERVISOR_PID=", getpid()); }

}  // namespace

absl::StatusOr<std::unique_ptr<Supervisor>> Supervisor::Create(SupervisorOptions options) {
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(options)));
  const sigset_t signals = OurSignals();
  supervisor->signals_ = Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!supervisor->signals_ || sigprocmask(SIG_BLOCK, &signals, nullptr) != 0 ||
      signal(SIGPIPE, SIG_IGN) == SIG_ERR || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return absl::InternalError(absl::StrCat("cannot supervise: ", std::strerror(errno)));
  }
  return supervisor;
}

Supervisor::Supervisor(SupervisorOptions options)
    : options_(std::move(options)), keeper_(confab::RandomNumber(), options_.keeper) {}

void Supervisor::Keep(const std::string& service, const std::vector<std::string>& arguments) {
  keeper_.Keep(service, arguments, Now());
  CarryOut();
}

void Supervisor::End(const std::string& service) {
  keeper_.End(service, Now());
  CarryOut();
}

void Supervisor::Want(std::vector<Wanted> wanted) {
  wanted_ = std::move(wanted);
  TellPicket(EncodeWant(wanted_));
}

void Supervisor::OnLeadership(std::function<void(std::optional<std::uint64_t>)> handler) {
  on_leadership_ = std::move(handler);
  on_leadership_(leadership_);
}

bool Supervisor::AwaitReady(const std::string& service, Duration limit) {
  RunUntil([&] { return stop_signals_ > 0 || keeper_.IsReady(service); }, limit);
  return keeper_.IsReady(service);
}

void Supervisor::AwaitStop() {
  while (!RunUntil([this] { return stop_signals_ > 0; }, 1h)) continue;
}

void Supervisor::EndGuests(Duration limit) {
  ending_ = true;
  if (keeper_.IsReady("picket")) {
    TellPicket(EncodeShutdown());
  } else {
    for (const auto& [id, guest] : guests_.all()) {
      if (!guest.wait_status) kill(guest.pid, SIGTERM);
    }
  }
  const auto none_left = [this] { return guests_.running() == 0; };
  if (RunUntil([&] { return none_left() || stop_signals_ > 1; }, limit) && none_left()) return;
  for (const auto& [id, guest] : guests_.all()) {
    if (guest.wait_status) continue;
    spdlog::warn("{}: does not end; killing it", id);
    KillGroup(guest.pid);
  }
  RunUntil(none_left, options_.keeper.stop_limit);
}

void Supervisor::EndAndAwait(const std::string& service) {
  End(service);
  const auto gone = [&] { return keeper_.PidOf(service) == 0; };
  // The keeper kills it after stop_limit; only a process that the kernel holds on to outlasts that.
  RunUntil([&] { return gone() || stop_signals_ > 1; }, 2 * options_.keeper.stop_limit);
  if (gone()) return;
  KillGroup(keeper_.PidOf(service));
  RunUntil(gone, options_.keeper.stop_limit);
}

void Supervisor::EndStrays() {
  const auto none_left = [] {
    siginfo_t info{};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
  };
  const Instant end = Now() + options_.keeper.stop_limit;
  while (!none_left() && Now() < end) {
    for (const pid_t pid : Children()) kill(pid, SIGKILL);
    RunUntil(none_left, 100ms);
  }
}

bool Supervisor::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Instant end = Now() + limit;
  while (!done()) {
    if (Now() >= end) return false;
    Turn(end);
  }
  return true;
}

// Waits until something happens, at most until `until`, and deals with it.
void Supervisor::Turn(Instant until) {
  CarryOut();
  std::vector<pollfd> polled = {{signals_.get(), POLLIN, 0}};
  std::vector<std::string> services = {""};
  for (const auto& [service, link] : links_) {
    const int events = link.has_queued() ? POLLIN | POLLOUT : POLLIN;
    polled.push_back({link.fd(), static_cast<short>(events), 0});
    services.push_back(service);
  }
  const Instant wake = std::min({until, upkeep_at_, keeper_.NextTimeout().value_or(until)});
  const Duration wait = std::max<Duration>(0ns, wake - Now());
  const timespec timeout{.tv_sec = wait / 1s, .tv_nsec = (wait % 1s).count()};
  if (ppoll(polled.data(), polled.size(), &timeout, nullptr) > 0) {
    for (std::size_t i = 1; i < polled.size(); ++i) {
      const auto link = links_.find(services[i]);
      if (link == links_.end()) continue;  // an earlier message ended it
      if ((polled[i].revents & POLLOUT) != 0) link->second.Flush();
      if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) Read(services[i]);
    }
    if (polled[0].revents != 0) TakeSignals();
  }
  if (Now() >= upkeep_at_) {
    if (options_.upkeep) options_.upkeep();
    upkeep_at_ = Now() + kUpkeepPeriod;
  }
  keeper_.HandleTimeout(Now());
  CarryOut();
}

void Supervisor::TakeSignals() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    spdlog::info("told to stop by signal {}", info.ssi_signo);
    ++stop_signals_;
  }
  Reap();
}

void Supervisor::Reap() {
  for (bool any = false;; any = true) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
      if (any) EndOrphans();
      return;
    }
    // Not reaped yet, so the number is still its own: what it left behind in its group goes too.
    if (getpgid(info.si_pid) == info.si_pid) kill(-info.si_pid, SIGKILL);
    int wait_status = 0;
    waitpid(info.si_pid, &wait_status, 0);
    HandleExit(info.si_pid, wait_status);
  }
}

// Kills what plugins that have ended left behind outside of their groups. Whose parent that was in
// its turn is found when it is reaped.
void Supervisor::EndOrphans() {
  std::set<pid_t> own;
  for (const auto& [id, guest] : guests_.all()) own.insert(guest.pid);
  for (const pid_t pid : Children()) {
    if (own.count(pid) != 0 || !keeper_.NameOf(pid).empty()) continue;
    const std::string id = PluginOf(pid);
    const auto plugin = guests_.all().find(id);
    if (id.empty() || (plugin != guests_.all().end() && !plugin->second.wait_status)) continue;
    spdlog::info("{}: left process {} behind; killing it", id, pid);
    kill(pid, SIGKILL);
  }
}

void Supervisor::HandleExit(pid_t pid, int wait_status) {
  if (const auto id = guests_.HandleExit(pid, wait_status, Now())) {
    spdlog::info("{}: process {} {}", *id, pid, DescribeEnd(wait_status));
    TellPicket(EncodeExited(*id, pid, wait_status));
    return;
  }
  const std::string service = keeper_.NameOf(pid);
  if (service.empty()) {
    spdlog::debug("reaped the orphan {}", pid);
    return;
  }
  std::string how = DescribeEnd(wait_status);
  const std::string words = LastLine(options_.state / "log" / (service + ".log"));
  if (!words.empty()) absl::StrAppend(&how, " (its last words: ", words, ")");
  links_.erase(service);
  keeper_.HandleExit(pid, how, Now());
  if (service == "flock") SetLeadership(std::nullopt);
}

void Supervisor::CarryOut() {
  while (const auto action = keeper_.PollAction()) {
    switch (action->kind) {
      case Action::Kind::kSpawn:
        Start(*action);
        break;
      case Action::Kind::kTerminate:
        kill(action->pid, SIGTERM);
        kill(action->pid, SIGCONT);  // a stopped one would never see it
        break;
      case Action::Kind::kKill:
        KillGroup(action->pid);
        break;
      case Action::Kind::kInform:
        spdlog::info("{}", action->text);
        break;
      case Action::Kind::kWarn:
        spdlog::warn("{}", action->text);
        break;
    }
  }
}

void Supervisor::Start(const Action& action) {
  const std::string& service = action.service;
  auto ends = Link::Make();
  if (!ends.ok()) {
    keeper_.HandleSpawnFailed(service, std::string(ends.status().message()), Now());
    return;
  }
  std::vector<std::string> argv = {"fulcrum", service};
  argv.insert(argv.end(), options_.arguments.begin(), options_.arguments.end());
  argv.insert(argv.end(), action.arguments.begin(), action.arguments.end());
  std::vector<std::string> env = Inherited();
  env.push_back(ParentVariable());
  env.emplace_back("RADIX_SUPERVISOR_FD=3");
  const auto pid = SpawnProcess({.program = options_.program,
                                 .argv = std::move(argv),
                                 .env = std::move(env),
                                 .log = options_.state / "log" / (service + ".log"),
                                 .descriptor = ends->second.get()});
  if (!pid.ok()) {
    keeper_.HandleSpawnFailed(service, std::string(pid.status().message()), Now());
    return;
  }
  Link& link = links_.insert_or_assign(service, std::move(ends->first)).first->second;
  if (service == "picket") Greet(link);
  keeper_.HandleSpawned(service, *pid, Now());
}

// Tells a new picket what the one before it left.
void Supervisor::Greet(Link& picket) {
  for (const auto& [id, guest] : guests_.all()) picket.Send(EncodeChild(id, guest, Now()));
  picket.Send(EncodeResume(fence_));
  picket.Send(EncodeWant(wanted_));
}

void Supervisor::Read(const std::string& service) {
  Link& link = links_.at(service);
  auto message = confab::ReceiveMessage(link.fd());
  absl::Status problem = message.status();
  if (message.ok()) {
    Descriptor file(message->fd);
    auto request = DecodeRequest(service, message->body);
    if (request.ok()) {
      Handle(service, *request, std::move(file));
      return;
    }
    problem = request.status();
  }
  if (!absl::IsUnavailable(problem)) {
    spdlog::warn("{}: {}", service, std::string(problem.message()));
    if (!link.CountBad()) return;
  }
  // Without its link a service is of no use; it ends by itself, or is helped to.
  const int pid = keeper_.PidOf(service);
  links_.erase(service);
  if (pid != 0) KillGroup(pid);
}

void Supervisor::Handle(const std::string& service, const Request& request, Descriptor file) {
  if (std::holds_alternative<Ready>(request)) {
    keeper_.HandleReady(service);
  } else if (const auto* lead = std::get_if<Lead>(&request)) {
    SetLeadership(lead->epoch);
  } else if (std::holds_alternative<Follow>(request)) {
    SetLeadership(std::nullopt);
  } else if (const auto* spawn = std::get_if<Spawn>(&request)) {
    StartGuest(*spawn, file);
  } else if (const auto* signal = std::get_if<Kill>(&request)) {
    const int pid = guests_.Signal(signal->id, signal->signal);
    if (pid == 0) return;  // it has just ended; picket is about to hear of it
    if (signal->signal == SIGKILL) {
      KillGroup(pid);
    } else {
      kill(pid, signal->signal);
      if (signal->signal == SIGTERM) kill(pid, SIGCONT);  // a stopped one would never see it
    }
  } else if (const auto* fence = std::get_if<Fence>(&request)) {
    fence_ = std::max(fence_, fence->epoch);
  }
}

void Supervisor::StartGuest(const Spawn& spawn, const Descriptor& file) {
  const auto start = [&]() -> absl::StatusOr<pid_t> {
    if (ending_) return absl::FailedPreconditionError("the node is ending");
    if (auto admitted = guests_.Admit(spawn.id, Now()); !admitted.ok()) return admitted;
    std::vector<std::string> argv = spawn.argv;
    if (file) argv.insert(argv.begin(), {"fulcrum", "launch"});
    std::vector<std::string> env = spawn.env;
    env.push_back(ParentVariable());
    env.push_back(PluginVariable(spawn.id));
    return SpawnProcess({.program = options_.program,
                         .argv = std::move(argv),
                         .env = std::move(env),
                         .log = options_.state / "log" / (spawn.id + ".log"),
                         .descriptor = file.get()});
  };
  const auto pid = start();
  if (!pid.ok()) {
    spdlog::warn("{}: not started: {}", spawn.id, std::string(pid.status().message()));
    TellPicket(EncodeRefused(spawn.id, pid.status()));
    return;
  }
  spdlog::info("{}: started for picket, process {}", spawn.id, *pid);
  guests_.Add(spawn.id, *pid, spawn.tag, Now());
  TellPicket(EncodeSpawned(spawn.id, *pid));
}

void Supervisor::TellPicket(const nlohmann::json& message) {
  const auto picket = links_.find("picket");
  if (picket == links_.end() || picket->second.Send(message)) return;
  spdlog::warn("picket: does not read what it is told; starting it again");
  KillGroup(keeper_.PidOf("picket"));
}

void Supervisor::SetLeadership(std::optional<std::uint64_t> epoch) {
  if (epoch == leadership_) return;
  leadership_ = epoch;
  if (epoch) {
    spdlog::info("this node leads under epoch {}", *epoch);
  } else {
    spdlog::info("this node no longer leads");
  }
  if (on_leadership_ && !ending_ && stop_signals_ == 0) on_leadership_(epoch);
}

}  // namespace radix::fulcrum
