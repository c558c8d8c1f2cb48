#include "services/trust/door_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::trust {

absl::Status DoorTable::HandleSet(std::int64_t number, const std::vector<Door>& doors) {
  if (doors.size() > kMost) {
    return absl::InvalidArgumentError(absl::StrCat("doors: are more than ", kMost));
  }
  std::map<std::string, Wanted> wanted;
  for (const Door& door : doors) {
    const auto before = wanted_.find(door.id);
    Wanted row = before != wanted_.end() && before->second.door == door ? before->second
                                                                        : Wanted{.door = door};
    if (!wanted.emplace(door.id, std::move(row)).second) {
      return absl::InvalidArgumentError(absl::StrCat("doors: two have the id ", door.id));
    }
  }
  wanted_ = std::move(wanted);
  number_ = number;
  ++revision_;
  return absl::OkStatus();
}

std::optional<DoorOrder> DoorTable::PollOrder(Instant now) {
  if (under_way_ || number_ == 0) return std::nullopt;
  if (!swept_) {
    under_way_ = DoorOrder{.kind = DoorOrder::Kind::kSweep, .door = {}, .wanted = {}};
    for (const auto& [id, row] : wanted_) under_way_->wanted.push_back(row.door);
    return under_way_;
  }
  for (const auto& [id, open] : open_) {
    const auto row = wanted_.find(id);
    if (row != wanted_.end() && row->second.door == open.door) continue;
    under_way_ = DoorOrder{.kind = DoorOrder::Kind::kClose, .door = open.door, .wanted = {}};
    return under_way_;
  }
  for (const auto& [id, row] : wanted_) {
    if (open_.contains(id) || row.retry_at.value_or(now) > now) continue;
    under_way_ = DoorOrder{.kind = DoorOrder::Kind::kOpen, .door = row.door, .wanted = {}};
    return under_way_;
  }
  return std::nullopt;
}

void DoorTable::HandleSwept() {
  swept_ = true;
  under_way_.reset();
}

void DoorTable::HandleOpened(const std::string& folder) {
  const Door door = std::exchange(under_way_, std::nullopt)->door;
  open_[door.id] = {.door = door, .folder = folder};
  ++revision_;
  const auto row = wanted_.find(door.id);
  if (row == wanted_.end() || row->second.door != door) return;
  row->second.wait.Reset();
  row->second.retry_at.reset();
  row->second.error.clear();
}

void DoorTable::HandleOpenFailed(const absl::Status& why, Instant now) {
  const Door door = std::exchange(under_way_, std::nullopt)->door;
  const auto row = wanted_.find(door.id);
  if (row == wanted_.end() || row->second.door != door) return;
  row->second.retry_at = now + row->second.wait.Next(random_);
  row->second.error = std::string(why.message());
  ++revision_;
}

void DoorTable::HandleClosed() {
  open_.erase(std::exchange(under_way_, std::nullopt)->door.id);
  ++revision_;
}

void DoorTable::HandleRefused(const std::string& id, const Claim& said) {
  const auto row = wanted_.find(id);
  if (row == wanted_.end()) return;
  auto& refused = row->second.refused;
  if (refused && refused->horde == said.horde && refused->api == said.api &&
      refused->inst == said.inst) {
    return;  // once a second, as long as it goes on
  }
  refused = said;
  ++revision_;
}

void DoorTable::HandleTaken(const std::string& id) {
  const auto row = wanted_.find(id);
  if (row == wanted_.end() || !row->second.refused) return;
  row->second.refused.reset();
  ++revision_;
}

Instant DoorTable::NextTimeout() const {
  Instant next = Instant::max();
  if (under_way_) return next;
  for (const auto& [id, row] : wanted_) {
    if (row.retry_at && !open_.contains(id)) next = std::min(next, *row.retry_at);
  }
  return next;
}

std::vector<DoorReport> DoorTable::Report() const {
  std::vector<DoorReport> report;
  for (const auto& [id, row] : wanted_) {
    const auto open = open_.find(id);
    const bool is_open = open != open_.end() && open->second.door == row.door;
    report.push_back({.id = id,
                      .folder = is_open ? open->second.folder : "",
                      .error = is_open ? "" : row.error,
                      .refused = row.refused});
  }
  return report;
}

}  // namespace radix::trust
