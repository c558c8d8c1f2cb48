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
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fulcrum/log_folder.h"
#include "fulcrum/process_tree.h"
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
    : options_(std::move(options)),
      children_(options_.program, options_.own_env, options_.memory_max, options_.state,
                options_.watchdog),
      keeper_(confab::RandomNumber(), options_.keeper) {}

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
      if (!guest.wait_status) children_.Terminate(guest.pid);
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
  children_.AddPolled(polled);
  const Instant wake = std::min({until, upkeep_at_, keeper_.NextTimeout().value_or(until),
                                 children_.NextTimeout().value_or(until)});
  const Duration wait = std::max<Duration>(0ns, wake - Now());
  const timespec timeout{.tv_sec = wait / 1s, .tv_nsec = (wait % 1s).count()};
  if (ppoll(polled.data(), polled.size(), &timeout, nullptr) > 0) {
    children_.Receive(std::span(polled).subspan(1),
                      [this](pid_t pid, const nlohmann::json& body, Descriptor file) {
                        return Handle(pid, body, std::move(file));
                      });
    if (polled[0].revents != 0) TakeSignals();
  }
  if (Now() >= upkeep_at_) {
    if (options_.upkeep) options_.upkeep();
    upkeep_at_ = Now() + kUpkeepPeriod;
  }
  keeper_.HandleTimeout(Now());
  children_.HandleTimeout(Now());
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
  for (const pid_t pid : Children()) {
    if (children_.Has(pid)) continue;
    const std::string id = PluginOf(pid);
    const auto plugin = guests_.all().find(id);
    if (id.empty() || (plugin != guests_.all().end() && !plugin->second.wait_status)) continue;
    spdlog::info("{}: left process {} behind; killing it", id, pid);
    kill(pid, SIGKILL);
  }
}

void Supervisor::HandleExit(pid_t pid, int wait_status) {
  children_.HandleExit(pid);
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
        children_.Terminate(action->pid);
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
  ChildOptions child{.name = service, .argv = {"fulcrum", service}, .env = Inherited(), .file = {}};
  child.argv.insert(child.argv.end(), options_.arguments.begin(), options_.arguments.end());
  child.argv.insert(child.argv.end(), action.arguments.begin(), action.arguments.end());
  const auto pid = children_.Start(std::move(child), Now());
  if (!pid.ok()) {
    keeper_.HandleSpawnFailed(service, std::string(pid.status().message()), Now());
    return;
  }
  if (service == "picket") Greet(*pid);
  keeper_.HandleSpawned(service, *pid, Now());
}

// Tells a new picket what the one before it left.
void Supervisor::Greet(pid_t picket) {
  for (const auto& [id, guest] : guests_.all()) {
    children_.Tell(picket, EncodeChild(id, guest, Now()));
  }
  children_.Tell(picket, EncodeResume(fence_));
  children_.Tell(picket, EncodeWant(wanted_));
}

absl::Status Supervisor::Handle(pid_t speaker, const nlohmann::json& body, Descriptor file) {
  const auto request = DecodeRequest(keeper_.NameOf(speaker), body);  // a guest has no name here
  if (!request.ok()) return request.status();
  if (std::holds_alternative<Alive>(*request)) {
    children_.HandleAlive(speaker, Now());
  } else if (std::holds_alternative<Ready>(*request)) {
    keeper_.HandleReady(keeper_.NameOf(speaker));
  } else if (const auto* lead = std::get_if<Lead>(&*request)) {
    SetLeadership(lead->epoch);
  } else if (std::holds_alternative<Follow>(*request)) {
    SetLeadership(std::nullopt);
  } else if (const auto* spawn = std::get_if<Spawn>(&*request)) {
    StartGuest(*spawn, std::move(file));
  } else if (const auto* signal = std::get_if<Kill>(&*request)) {
    SignalGuest(*signal);
  } else if (const auto* fence = std::get_if<Fence>(&*request)) {
    fence_ = std::max(fence_, fence->epoch);
  }
  return absl::OkStatus();
}

void Supervisor::StartGuest(const Spawn& spawn, Descriptor file) {
  const auto start = [&]() -> absl::StatusOr<pid_t> {
    if (ending_) return absl::FailedPreconditionError("the node is ending");
    if (auto admitted = guests_.Admit(spawn.id, Now()); !admitted.ok()) return admitted;
    if (spawn.uid != 0 && !file) {
      return absl::InvalidArgumentError("what is of this binary runs as the user of the node");
    }
    std::vector<std::string> env = spawn.env;
    env.push_back(PluginVariable(spawn.id));
    return children_.Start({.name = spawn.id,
                            .argv = spawn.argv,
                            .env = std::move(env),
                            .file = std::move(file),
                            .uid = spawn.uid},
                           Now());
  };
  const auto pid = start();
  if (!pid.ok()) {
    spdlog::warn("{}: not started: {}", spawn.id, std::string(pid.status().message()));
    TellPicket(EncodeRefused(spawn.id, pid.status()));
    return;
  }
  spdlog::info("{}: started for picket, process {}", spawn.id, *pid);
  guests_.Add(spawn.id, *pid, spawn.tag, Now(), spawn.uid);
  TellPicket(EncodeSpawned(spawn.id, *pid));
}

void Supervisor::SignalGuest(const Kill& order) {
  const int pid = guests_.Signal(order.id, order.signal);
  if (pid == 0) return;  // it has just ended; picket is about to hear of it
  if (order.signal == SIGKILL) {
    KillGroup(pid);
  } else if (order.signal == SIGTERM) {
    children_.Terminate(pid);
  } else {
    kill(pid, order.signal);
  }
}

void Supervisor::TellPicket(const nlohmann::json& message) {
  children_.Tell(keeper_.PidOf("picket"), message);
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
