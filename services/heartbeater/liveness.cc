#include "services/heartbeater/liveness.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix::heartbeater {

using registry::Instance;
using registry::InstanceId;
using registry::Status;

absl::StatusOr<Accepted> Liveness::HandleBeat(StreamId stream, const Beat& beat, Instant now) {
  if (auto ok = CheckStream(stream, beat); !ok.ok()) return ok;
  const InstanceId& id = beat.instance;
  if (beat.instance.status == Status::kDead) {
    const bool changed = Bury(id, now);
    return Accepted{.changed = changed, .revision = table_.revision()};
  }
  const Instance* known = table_.Find(id);
  if (known == nullptr && table_.size() >= kInstancesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node has ", kInstancesMax, " instances already"));
  }
  Accepted accepted;
  Instance instance = beat.instance;
  if (known != nullptr) {
    instance.start_ns = known->start_ns;
  } else {
    DisplaceOthersAt(id, now);
    accepted.warning = WarningFor(id);
    deaths_.erase(id);
  }
  streams_[stream] = {.id = id, .process = beat.process};
  if (const auto before = lives_.find(id); before != lives_.end()) {
    if (before->second.stream != stream) ForgetBroken(before->second.stream);
  }
  lives_[id] = {stream, now + beat.validity};
  accepted.changed = table_.Put(instance);
  accepted.revision = table_.revision();
  return accepted;
}

absl::Status Liveness::CheckStream(StreamId stream, const Beat& beat) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return absl::OkStatus();
  if (found->second.id != beat.instance) {
    return absl::InvalidArgumentError(
        absl::StrCat("horde, api, inst, net_id: this stream carries ", found->second.id.inst,
                     " at ", found->second.id.net_id, "; open another for ", beat.instance.inst,
                     " at ", beat.instance.net_id));
  }
  if (found->second.process != beat.process) {
    return absl::InvalidArgumentError("pid, pid_start_ticks: differ from those of earlier beats");
  }
  return absl::OkStatus();
}

std::string Liveness::WarningFor(const InstanceId& id) const {
  for (const Instance& sibling : table_.List({.horde = id.horde, .api = id.api})) {
    if (!registry::NumberWidthsDiffer(id.inst, sibling.inst)) continue;
    return absl::StrCat("inst: '", id.inst, "' stands beside '", sibling.inst,
                        "', whose number has another width; the best instance is the greatest by "
                        "bytes, which here is '",
                        std::max(id.inst, sibling.inst), "'");
  }
  return "";
}

// Whoever else registered this netID for this api has lost its port.
void Liveness::DisplaceOthersAt(const InstanceId& id, Instant now) {
  for (const Instance& other : table_.List({.horde = id.horde, .api = id.api})) {
    if (other.net_id == id.net_id && other.inst != id.inst) Bury(other, now);
  }
}

bool Liveness::Bury(const InstanceId& id, Instant now) {
  const Instance* found = table_.Find(id);
  if (found == nullptr) return false;
  Instance dead = *found;
  dead.status = Status::kDead;
  table_.Remove(dead);
  if (const auto life = lives_.find(dead); life != lives_.end()) {
    ForgetBroken(life->second.stream);
    lives_.erase(life);
  }
  if (deaths_.size() >= kInstancesMax) {
    deaths_.erase(std::min_element(deaths_.begin(), deaths_.end(), [](auto& a, auto& b) {
      return a.second.forget_at < b.second.forget_at;
    }));
  }
  deaths_[dead] = {dead, now + kRememberDead};
  return true;
}

bool Liveness::HandleStreamBreak(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.process) return false;
  const auto life = lives_.find(found->second.id);
  if (life == lives_.end() || life->second.stream != stream) return false;
  found->second.broken = true;
  return true;
}

void Liveness::ForgetBroken(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.broken) return;
  streams_.erase(found);
  forgotten_.push_back(stream);
}

bool Liveness::HandleStreamEnd(StreamId stream, Instant now) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return false;
  const InstanceId id = found->second.id;
  streams_.erase(found);
  const auto life = lives_.find(id);
  return life != lives_.end() && life->second.stream == stream && Bury(id, now);
}

bool Liveness::HandleTimeout(Instant now) {
  std::vector<InstanceId> silent;
  for (const auto& [id, life] : lives_) {
    if (life.expires_at <= now) silent.push_back(id);
  }
  for (const InstanceId& id : silent) Bury(id, now);
  std::erase_if(deaths_, [now](const auto& death) { return death.second.forget_at <= now; });
  return !silent.empty();
}

Instant Liveness::NextTimeout() const {
  Instant next = Instant::max();
  for (const auto& [id, life] : lives_) next = std::min(next, life.expires_at);
  for (const auto& [id, death] : deaths_) next = std::min(next, death.forget_at);
  return next;
}

std::vector<Instance> Liveness::List() const {
  std::vector<Instance> all = table_.List();
  for (const auto& [id, death] : deaths_) all.push_back(death.instance);
  std::sort(all.begin(), all.end(), [](const InstanceId& a, const InstanceId& b) { return a < b; });
  return all;
}

}  // namespace radix::heartbeater
