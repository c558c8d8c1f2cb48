#include "services/picket/plugin_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::picket {

absl::Status PluginTable::Start(std::uint64_t epoch, const PluginSpec& spec, Instant now) {
  if (spec.owner == kFulcrum) {
    return absl::InvalidArgumentError("spec.owner: fulcrum is not for others to say");
  }
  if (epoch == 0 && spec.owner != kDean) {
    return absl::FailedPreconditionError(
        absl::StrCat("epoch: 0 is for the node's own dean only; this node follows ", fence_));
  }
  if (auto status = Fence(epoch); !status.ok()) return status;
  if (ending_) return absl::FailedPreconditionError("the node is ending");
  const auto found = entries_.find(spec.id);
  if (found != entries_.end() && found->second.plugin.state != PluginState::kStopped) {
    const Plugin& plugin = found->second.plugin;
    if (plugin.state == PluginState::kStopping) {
      return absl::FailedPreconditionError(
          absl::StrCat(spec.id, " is stopping; start it when it has ended"));
    }
    if (plugin.spec == spec) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("another specification runs as ", spec.id, "; stop it first"));
  }
  if (active() >= options_.most) {
    return absl::ResourceExhaustedError(absl::StrCat(options_.most, " plugins run already"));
  }
  Launch(Insert(spec));
  HandleTimeout(now);
  return absl::OkStatus();
}

absl::Status PluginTable::Stop(std::uint64_t epoch, const std::string& id, Duration grace,
                               Instant now) {
  if (auto status = Fence(epoch); !status.ok()) return status;
  const auto found = entries_.find(id);
  if (found == entries_.end()) return absl::OkStatus();
  const std::string& owner = found->second.plugin.spec.owner;
  if (owner == kFulcrum || (owner == kDean) != (epoch == 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat(id, " belongs to ", owner, ", not to who orders under epoch ", epoch));
  }
  StopEntry(found->second, grace, now);
  return absl::OkStatus();
}

void PluginTable::Want(std::vector<PluginSpec> specs, Instant now) {
  wanted_ = std::move(specs);
  for (auto& [id, entry] : entries_) {
    if (entry.plugin.spec.owner != kFulcrum) continue;
    if (std::find(wanted_.begin(), wanted_.end(), entry.plugin.spec) != wanted_.end()) continue;
    StopEntry(entry, options_.own_grace, now);
  }
  LaunchWanted(now);
}

void PluginTable::StopAll(Instant now) {
  ending_ = true;
  wanted_.clear();
  for (auto& [id, entry] : entries_) StopEntry(entry, options_.own_grace, now);
}

void PluginTable::Adopt(const Left& left, Instant now) {
  Entry& entry = Insert(left.spec);
  entry.plugin.started_at = left.started_at;
  entry.plugin.state = PluginState::kRunning;
  if (!left.ended) {
    entry.plugin.pid = left.pid;
    if (left.terminated) StopEntry(entry, options_.own_grace, now);
  } else if (left.terminated) {
    entry.plugin.last_exit = *left.ended;
    Ended(entry, now);
  } else {
    Fail(entry, *left.ended, now);
  }
}

void PluginTable::ResumeFence(std::uint64_t epoch) { fence_ = std::max(fence_, epoch); }

void PluginTable::HandleSpawned(const std::string& id, int pid, Instant now) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const bool first = entry.plugin.last_exit.empty();
  entry.launching = false;
  entry.plugin.pid = pid;
  entry.plugin.started_at = now;
  if (!first) ++entry.plugin.restart_count;
  ++revision_;
  Tell(id, absl::OkStatus());
  if (entry.plugin.state == PluginState::kStopping) {
    Terminate(entry, now);
  } else {
    entry.plugin.state = PluginState::kRunning;
  }
}

void PluginTable::HandleLaunchFailed(const std::string& id, const absl::Status& why, Instant now) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.launching = false;
  const PluginState state = entry.plugin.state;
  Tell(id, why);
  if (state == PluginState::kStopping) {
    Ended(entry, now);
  } else if (state == PluginState::kStarting && entry.plugin.spec.owner != kFulcrum) {
    entries_.erase(found);  // nothing half done: who asked hears of it, and may ask again
    ++revision_;
  } else {
    entry.plugin.started_at = now;
    Fail(entry, absl::StrCat("not started: ", std::string(why.message())), now);
  }
}

void PluginTable::HandleExit(const std::string& id, int pid, const std::string& how, Instant now) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.plugin.pid != pid) return;
  Entry& entry = found->second;
  entry.plugin.pid = 0;
  if (entry.plugin.state == PluginState::kStopping) {
    entry.plugin.last_exit = how;
    Ended(entry, now);
    LaunchWanted(now);
  } else {
    Fail(entry, how, now);
  }
}

void PluginTable::HandleRefusals(const std::map<std::string, Registration>& refusals) {
  for (auto& [id, entry] : entries_) {
    const auto found = refusals.find(id);
    std::optional<Registration> refused;
    if (found != refusals.end()) refused = found->second;
    if (entry.plugin.refused == refused) continue;
    entry.plugin.refused = refused;
    ++revision_;
  }
}

void PluginTable::HandleTimeout(Instant now) {
  for (auto& [id, entry] : entries_) {
    if (entry.start_at && *entry.start_at <= now) Launch(entry);
    if (entry.kill_at && *entry.kill_at <= now) {
      orders_.push_back({.kind = Order::Kind::kKill, .id = id});
      entry.kill_at = now + options_.own_grace;
    }
  }
  const std::size_t before = entries_.size();
  std::erase_if(entries_, [now](const auto& each) {
    return each.second.forget_at && *each.second.forget_at <= now;
  });
  if (entries_.size() != before) ++revision_;
}

std::optional<Instant> PluginTable::NextTimeout() const {
  std::optional<Instant> next;
  for (const auto& [id, entry] : entries_) {
    for (const auto& at : {entry.start_at, entry.kill_at, entry.forget_at}) {
      if (at && (!next || *at < *next)) next = at;
    }
  }
  return next;
}

std::optional<Order> PluginTable::PollOrder() {
  if (orders_.empty()) return std::nullopt;
  Order order = std::move(orders_.front());
  orders_.pop_front();
  return order;
}

std::optional<Outcome> PluginTable::PollOutcome() {
  if (outcomes_.empty()) return std::nullopt;
  Outcome outcome = std::move(outcomes_.front());
  outcomes_.pop_front();
  return outcome;
}

bool PluginTable::starting(const std::string& id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.plugin.state == PluginState::kStarting;
}

std::optional<Plugin> PluginTable::Find(const std::string& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second.plugin;
}

std::vector<Plugin> PluginTable::List() const {
  std::vector<Plugin> plugins;
  for (const auto& [id, entry] : entries_) plugins.push_back(entry.plugin);
  return plugins;
}

absl::Status PluginTable::Fence(std::uint64_t epoch) {
  if (epoch == 0 || epoch == fence_) return absl::OkStatus();
  if (epoch < fence_) {
    return absl::FailedPreconditionError(
        absl::StrCat("epoch ", epoch, " is over: this node follows epoch ", fence_));
  }
  fence_ = epoch;
  orders_.push_back({.kind = Order::Kind::kFence, .epoch = epoch});
  return absl::OkStatus();
}

PluginTable::Entry& PluginTable::Insert(const PluginSpec& spec) {
  // Those that were stopped are only remembered: the oldest goes when there are as many of them as
  // may run.
  if (entries_.size() >= 2 * options_.most) {
    const auto oldest =
        std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          return a.second.forget_at.value_or(Instant::max()) <
                 b.second.forget_at.value_or(Instant::max());
        });
    if (oldest->second.forget_at) entries_.erase(oldest);
  }
  ++revision_;
  Entry fresh{.plugin = {.spec = spec}, .wait = {options_.first_wait, options_.most_wait}};
  return entries_.insert_or_assign(spec.id, std::move(fresh)).first->second;
}

void PluginTable::Launch(Entry& entry) {
  entry.start_at.reset();
  entry.launching = true;
  orders_.push_back(
      {.kind = Order::Kind::kLaunch, .id = entry.plugin.spec.id, .spec = entry.plugin.spec});
}

void PluginTable::StopEntry(Entry& entry, Duration grace, Instant now) {
  if (entry.plugin.state == PluginState::kStopped) return;
  if (entry.plugin.state == PluginState::kStopping) {
    // Asked again: the shorter time counts.
    if (entry.kill_at) entry.kill_at = std::min(*entry.kill_at, now + grace);
    return;
  }
  const bool was_starting = entry.plugin.state == PluginState::kStarting;
  entry.plugin.state = PluginState::kStopping;
  entry.start_at.reset();
  entry.grace = grace;
  ++revision_;
  if (was_starting) Tell(entry.plugin.spec.id, absl::AbortedError("it was stopped meanwhile"));
  if (entry.plugin.pid != 0) {
    Terminate(entry, now);
  } else if (!entry.launching) {
    Ended(entry, now);
  }
}

void PluginTable::Terminate(Entry& entry, Instant now) {
  entry.kill_at = now + entry.grace;
  orders_.push_back({.kind = Order::Kind::kTerminate, .id = entry.plugin.spec.id});
}

void PluginTable::Ended(Entry& entry, Instant now) {
  entry.plugin.state = PluginState::kStopped;
  entry.plugin.pid = 0;
  entry.start_at.reset();
  entry.kill_at.reset();
  entry.forget_at = now + options_.remembered;
  ++revision_;
}

void PluginTable::Fail(Entry& entry, const std::string& how, Instant now) {
  if (now - entry.plugin.started_at >= options_.stable_after) {
    entry.wait.Reset();
    entry.failures = 0;
  }
  ++entry.failures;
  entry.plugin.state = PluginState::kBackoff;
  entry.plugin.pid = 0;
  entry.plugin.last_exit =
      entry.failures < options_.crash_loop_after
          ? how
          : absl::StrCat("crash loop, ", entry.failures, " times in a row: ", how);
  entry.start_at = now + entry.wait.Next(random_);
  ++revision_;
}

// Starts what fulcrum wants and what neither runs nor stops.
void PluginTable::LaunchWanted(Instant now) {
  if (ending_) return;
  for (const PluginSpec& spec : wanted_) {
    const auto found = entries_.find(spec.id);
    if (found == entries_.end() || found->second.plugin.state == PluginState::kStopped) {
      Launch(Insert(spec));
    }
  }
  HandleTimeout(now);
}

void PluginTable::Tell(const std::string& id, absl::Status status) {
  outcomes_.push_back({.id = id, .status = std::move(status)});
}

std::size_t PluginTable::active() const {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(),
      [](const auto& each) { return each.second.plugin.state != PluginState::kStopped; }));
}

}  // namespace radix::picket
