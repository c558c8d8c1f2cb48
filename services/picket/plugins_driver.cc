#include "services/picket/plugins_driver.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/parent.h"
#include "services/picket/program_driver.h"
#include "services/picket/users_driver.h"

namespace radix::picket {
namespace {

// Pulling a program from a peer may take a while, so several may be pulled at once.
constexpr int kWorkers = 4;
constexpr Duration kPullLimit = 2min;
constexpr Duration kResumeLimit = 5s;
// A reeve that was killed is back, and has opened its doors again, in less.
constexpr Duration kDoorLimit = 5s;

// As reeve knows it.
std::string HordeOf(const PluginSpec& spec) { return spec.horde.empty() ? "default" : spec.horde; }

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

absl::StatusOr<std::unique_ptr<Plugins>> Plugins::Resume(const confab::ServiceArguments& node,
                                                         int link) {
  std::unique_ptr<Plugins> plugins(new Plugins(node, link));
  std::unique_lock lock(plugins->mutex_);
  if (!plugins->changed_.wait_for(lock, kResumeLimit, [&] { return plugins->resumed_; })) {
    lock.unlock();
    return absl::DeadlineExceededError("the supervisor does not say what runs already");
  }
  return plugins;
}

Plugins::Plugins(const confab::ServiceArguments& node, int link)
    : node_(node),
      link_(link),
      pastiche_(Network{node.node}, kPullLimit),
      as_others_(MayRunAsOthers()),
      table_(confab::RandomNumber()),
      users_(node.node.state.string()) {
  spdlog::info("plugins run as {}", as_others_ ? "users of their own" : "the user of this node");
  doors_ = std::make_unique<Doors>(node_.node, [this](const Doors::Refusals& refusals) {
    const std::lock_guard lock(mutex_);
    table_.HandleRefusals(refusals);
    Settle();
    timer_->Wake();
  });
  timer_ = std::make_unique<confab::TimerThread>([this](Instant now) {
    const std::lock_guard lock(mutex_);
    table_.HandleTimeout(now);
    Settle();  // it does not wake this thread; the others do
    return table_.NextTimeout().value_or(Instant::max());
  });
  threads_.emplace_back([this] { Listen(); });
  for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { Work(); });
}

Plugins::~Plugins() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  shutdown(link_, SHUT_RDWR);
  doors_->End();
  for (std::thread& thread : threads_) thread.join();
  doors_.reset();
  timer_.reset();
}

void Plugins::Start(std::uint64_t epoch, const PluginSpec& spec, Done done) {
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  absl::Status status = waiter_count_ < kWaitersMax
                            ? table_.Start(epoch, spec, now)
                            : absl::ResourceExhaustedError("too many starts at once; try again");
  if (status.ok() && table_.starting(spec.id)) {
    waiters_[spec.id].push_back(std::move(done));
    ++waiter_count_;
  } else if (status.ok()) {
    done(*table_.Find(spec.id));
  } else {
    done(status);
  }
  Settle();
  timer_->Wake();
}

absl::Status Plugins::Stop(std::uint64_t epoch, const std::string& id, Duration grace) {
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  absl::Status status = table_.Stop(epoch, id, grace, now);
  Settle();
  timer_->Wake();
  return status;
}

std::vector<Plugin> Plugins::List() {
  const std::lock_guard lock(mutex_);
  return table_.List();
}

std::optional<std::uint64_t> Plugins::Watch(Watcher watcher) {
  const std::lock_guard lock(mutex_);
  if (watchers_.size() >= kWatchersMax) return std::nullopt;
  watcher(table_.List());
  watchers_.emplace(next_watch_, std::move(watcher));
  return next_watch_++;
}

void Plugins::Unwatch(std::uint64_t watch) {
  const std::lock_guard lock(mutex_);
  watchers_.erase(watch);
}

// Reads what the supervisor says, until it is gone; then this process goes too.
void Plugins::Listen() {
  for (;;) {
    auto message = confab::ReceiveMessage(link_);
    if (absl::IsUnavailable(message.status())) return;
    const Instant now = confab::Now();
    auto news =
        message.ok() ? DecodeNews(message->body, now) : absl::StatusOr<News>(message.status());
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    if (news.ok()) {
      Handle(*news);
      Settle();
      timer_->Wake();
    } else {
      spdlog::warn("{}", std::string(news.status().message()));
    }
  }
}

void Plugins::Handle(const News& news) {
  const Instant now = confab::Now();
  std::visit(
      Overloaded{
          [&](const ChildNews& child) {
            if (child.left) {
              const PluginSpec& spec = child.left->spec;
              users_.Learn(HordeOf(spec), spec.service(), child.uid);
              spdlog::info("{}: process {} runs on", child.id, child.left->pid);
              table_.Adopt(*child.left, now);
            } else {
              spdlog::warn("{}: nobody knows what it is for; ending it", child.id);
              Tell(EncodeKill(child.id, SIGKILL)).IgnoreError();
            }
          },
          [&](const ResumeNews& resume) {
            table_.ResumeFence(resume.fence);
            resumed_ = true;
            changed_.notify_all();
          },
          [&](const WantNews& want) { table_.Want(want.specs, now); },
          [&](const SpawnedNews& spawned) { table_.HandleSpawned(spawned.id, spawned.pid, now); },
          [&](const RefusedNews& refused) {
            table_.HandleLaunchFailed(refused.id, absl::InternalError(refused.why), now);
          },
          [&](const ExitedNews& exited) {
            spdlog::info("{}: process {} {}", exited.id, exited.pid, exited.how);
            table_.HandleExit(exited.id, exited.pid, exited.how, now);
          },
          [&](const ShutdownNews&) {
            spdlog::info("the node ends: stopping every plugin");
            table_.StopAll(now);
          }},
      news);
}

// Carries out what the table decided, answers who waits, shows what changed.
void Plugins::Settle() {
  while (const auto order = table_.PollOrder()) CarryOut(*order);
  while (const auto outcome = table_.PollOutcome()) {
    const auto waiting = waiters_.extract(outcome->id);
    if (waiting.empty()) continue;
    waiter_count_ -= waiting.mapped().size();
    const auto plugin = table_.Find(outcome->id);
    for (const Done& done : waiting.mapped()) {
      if (!outcome->status.ok()) {
        done(outcome->status);
      } else if (plugin) {
        done(*plugin);
      } else {
        done(absl::AbortedError("it has ended already"));
      }
    }
  }
  const bool changed = shown_revision_ != table_.revision();
  if (changed || (resumed_ && !doors_wanted_ && !ending_)) {
    shown_revision_ = table_.revision();
    const std::vector<Plugin> plugins = table_.List();
    if (resumed_ && !ending_) WantDoors(plugins);
    if (!changed) return;
    for (const auto& [id, watcher] : watchers_) watcher(plugins);
  }
}

// One for each that runs or may run soon. Those of built-in services are the node's own sockets.
void Plugins::WantDoors(const std::vector<Plugin>& plugins) {
  std::vector<WantedDoor> wanted;
  for (const Plugin& plugin : plugins) {
    const PluginSpec& spec = plugin.spec;
    if (spec.is_built_in() || plugin.state == PluginState::kStopped) continue;
    const auto uid = UserOf(spec);
    if (!uid) continue;  // its launch says so
    wanted.push_back({.id = spec.id,
                      .horde = HordeOf(spec),
                      .service = spec.service(),
                      .api = spec.api,
                      .inst = spec.inst,
                      .uid = *uid});
  }
  doors_wanted_ = true;
  doors_->Want(wanted);
}

// With the lock held.
std::optional<std::uint32_t> Plugins::UserOf(const PluginSpec& spec) {
  if (!as_others_) return 0;
  return users_.For(HordeOf(spec), spec.service(), IsTakenUser);
}

void Plugins::CarryOut(const Order& order) {
  switch (order.kind) {
    case Order::Kind::kLaunch:
      // The node's own first: they wait for no door, and a new leader needs its proctor.
      if (order.spec.is_built_in()) {
        launches_.push_front(order.spec);
      } else {
        launches_.push_back(order.spec);
      }
      changed_.notify_all();
      break;
    case Order::Kind::kTerminate:
      Tell(EncodeKill(order.id, SIGTERM)).IgnoreError();
      break;
    case Order::Kind::kKill:
      spdlog::warn("{}: does not end; killing it", order.id);
      Tell(EncodeKill(order.id, SIGKILL)).IgnoreError();
      break;
    case Order::Kind::kFence:
      Tell(EncodeFence(order.epoch)).IgnoreError();
      break;
  }
}

void Plugins::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !launches_.empty(); });
    if (ending_) return;
    const PluginSpec spec = std::move(launches_.front());
    launches_.pop_front();
    lock.unlock();
    Launch(spec);
    lock.lock();
  }
}

void Plugins::Launch(const PluginSpec& spec) {
  const absl::Status status =
      spec.is_built_in()
          ? Tell(EncodeSpawn(spec, ArgvOf(spec), EnvOf(spec, node_.node.state.string())))
          : LaunchGuest(spec);
  if (status.ok()) return;  // the supervisor will say how it went
  spdlog::warn("{}: not started: {}", spec.id, std::string(status.message()));
  const std::lock_guard lock(mutex_);
  const Instant now = confab::Now();
  table_.HandleLaunchFailed(spec.id, status, now);
  Settle();
  timer_->Wake();
}

// Its door is opened first: what it says before that would be lost.
absl::Status Plugins::LaunchGuest(const PluginSpec& spec) {
  std::optional<std::uint32_t> uid;
  {
    const std::lock_guard lock(mutex_);
    uid = UserOf(spec);
  }
  if (!uid) return absl::ResourceExhaustedError("no user is free for it to run as");
  const auto program = OpenProgram(spec.file, pastiche_, *uid);
  if (!program.ok()) return program.status();
  const auto folder = doors_->Await(spec.id, kDoorLimit);
  if (!folder.ok()) return folder.status();
  return Tell(EncodeSpawn(spec, ArgvOf(spec), EnvOf(spec, *folder), *uid), program->get());
}

absl::Status Plugins::Tell(const nlohmann::json& message, int fd) {
  return confab::SendMessage(link_, message, fd);
}

std::vector<std::string> Plugins::ArgvOf(const PluginSpec& spec) const {
  std::vector<std::string> argv;
  if (spec.is_built_in()) {
    argv = {"fulcrum", spec.file.substr(8)};
    const auto common = confab::ToCommandLine(node_);
    argv.insert(argv.end(), common.begin(), common.end());
  } else {
    argv = {spec.file.starts_with("/") ? spec.file : spec.id};
  }
  argv.insert(argv.end(), spec.args.begin(), spec.args.end());
  return argv;
}

std::vector<std::string> Plugins::EnvOf(const PluginSpec& spec, const std::string& state) const {
  std::vector<std::string> env = spec.env;
  const auto add = [&env](const char* name, const std::string& value) {
    const std::string start = absl::StrCat(name, "=");
    const bool has = std::any_of(env.begin(), env.end(),
                                 [&](const auto& each) { return each.starts_with(start); });
    if (!has) env.push_back(start + value);
  };
  add("PATH", "/usr/local/bin:/usr/bin:/bin");
  add("RADIX_STATE", state);
  add("RADIX_NODE", node_.node.name);
  add("RADIX_ADDRESS", node_.node.address.ToString());
  add("RADIX_FLOCK", node_.node.flock_id);
  add("RADIX_HORDE", spec.horde);
  add("RADIX_API", spec.api);
  add("RADIX_INST", spec.inst);
  add("RADIX_SERVICE", spec.service());
  if (const char* level = std::getenv("RADIX_LOG")) add("RADIX_LOG", level);
  return env;
}

}  // namespace radix::picket
