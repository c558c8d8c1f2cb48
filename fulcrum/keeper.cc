#include "fulcrum/keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::fulcrum {

void Keeper::Keep(const std::string& name, std::vector<std::string> arguments, Instant now) {
  auto [entry, is_new] =
      services_.try_emplace(name, Service{.wait = {options_.first_wait, options_.most_wait}});
  Service& service = entry->second;
  if (service.wanted == arguments) return;
  service.wanted = std::move(arguments);
  service.wait.Reset();
  service.failures = 0;
  if (service.spawning) return;  // HandleSpawned looks again
  if (service.pid == 0) {
    Start(name, service);
  } else if (service.running != *service.wanted) {
    Terminate(name, service, now);
  }
}

void Keeper::End(const std::string& name, Instant now) {
  const auto entry = services_.find(name);
  if (entry == services_.end()) return;
  Service& service = entry->second;
  service.wanted.reset();
  service.start_at.reset();
  if (service.pid != 0) {
    Terminate(name, service, now);
  } else if (!service.spawning) {
    services_.erase(entry);
  }
}

void Keeper::HandleSpawned(const std::string& name, int pid, Instant now) {
  Service& service = services_.at(name);
  service.spawning = false;
  service.pid = pid;
  service.started_at = now;
  Say(Action::Kind::kInform, absl::StrCat(name, ": started, process ", pid));
  if (service.wanted != service.running) Terminate(name, service, now);
}

void Keeper::HandleSpawnFailed(const std::string& name, const std::string& why, Instant now) {
  Service& service = services_.at(name);
  service.spawning = false;
  service.started_at = now;
  Fail(name, service, absl::StrCat("cannot be started: ", why), now);
}

void Keeper::HandleExit(int pid, const std::string& how, Instant now) {
  const std::string name = NameOf(pid);
  const auto entry = services_.find(name);
  if (entry == services_.end()) return;
  Service& service = entry->second;
  const bool asked = service.kill_at.has_value();
  service.pid = 0;
  service.ready = false;
  service.kill_at.reset();
  if (!asked) {
    Fail(name, service, how, now);
    return;
  }
  Say(Action::Kind::kInform, absl::StrCat(name, ": as asked, ", how));
  if (service.wanted) {
    Start(name, service);
  } else {
    services_.erase(entry);
  }
}

void Keeper::HandleReady(const std::string& name) {
  const auto entry = services_.find(name);
  if (entry == services_.end() || entry->second.pid == 0) return;
  if (entry->second.ready || entry->second.kill_at) return;
  entry->second.ready = true;
  Say(Action::Kind::kInform, absl::StrCat(name, ": serves"));
}

void Keeper::HandleTimeout(Instant now) {
  for (auto& [name, service] : services_) {
    if (service.start_at && *service.start_at <= now) Start(name, service);
    if (service.kill_at && *service.kill_at <= now) {
      Say(Action::Kind::kWarn, absl::StrCat(name, ": does not end; killing it"));
      actions_.push_back({.kind = Action::Kind::kKill, .service = name, .pid = service.pid});
      service.kill_at = now + options_.stop_limit;  // not Instant::max(): it counts as asked to end
    }
  }
}

std::optional<Instant> Keeper::NextTimeout() const {
  std::optional<Instant> next;
  for (const auto& [name, service] : services_) {
    for (const auto& at : {service.start_at, service.kill_at}) {
      if (at && (!next || *at < *next)) next = at;
    }
  }
  return next;
}

std::optional<Action> Keeper::PollAction() {
  if (actions_.empty()) return std::nullopt;
  Action action = std::move(actions_.front());
  actions_.pop_front();
  return action;
}

bool Keeper::IsReady(const std::string& name) const {
  const auto entry = services_.find(name);
  return entry != services_.end() && entry->second.ready;
}

std::string Keeper::NameOf(int pid) const {
  const auto entry = std::find_if(services_.begin(), services_.end(),
                                  [pid](const auto& each) { return each.second.pid == pid; });
  return pid == 0 || entry == services_.end() ? "" : entry->first;
}

int Keeper::PidOf(const std::string& name) const {
  const auto entry = services_.find(name);
  return entry == services_.end() ? 0 : entry->second.pid;
}

void Keeper::Start(const std::string& name, Service& service) {
  service.start_at.reset();
  service.spawning = true;
  service.running = *service.wanted;
  actions_.push_back({.kind = Action::Kind::kSpawn, .service = name, .arguments = service.running});
}

void Keeper::Terminate(const std::string& name, Service& service, Instant now) {
  service.ready = false;
  if (service.kill_at) return;
  service.kill_at = now + options_.stop_limit;
  actions_.push_back({.kind = Action::Kind::kTerminate, .service = name, .pid = service.pid});
}

void Keeper::Fail(const std::string& name, Service& service, const std::string& how, Instant now) {
  if (!service.wanted) {
    services_.erase(name);
    return;
  }
  if (now - service.started_at >= options_.stable_after) {
    service.wait.Reset();
    service.failures = 0;
  }
  ++service.failures;
  const Duration wait = service.wait.Next(random_);
  service.start_at = now + wait;
  const auto wait_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
  const std::string text = absl::StrCat(name, ": ", how, "; trying again in ", wait_ms, " ms");
  if (service.failures < options_.crash_loop_after) {
    Say(Action::Kind::kWarn, text);
  } else {
    Say(Action::Kind::kWarn, absl::StrCat("CRASH LOOP: ", service.failures,
                                          " times in a row: ", text, "; its log says why"));
  }
}

void Keeper::Say(Action::Kind kind, std::string text) {
  actions_.push_back({.kind = kind, .text = std::move(text)});
}

}  // namespace radix::fulcrum
