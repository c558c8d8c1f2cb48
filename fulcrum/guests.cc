#include "fulcrum/guests.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::fulcrum {

absl::Status Guests::Admit(const std::string& id, Instant now) {
  Forget(now);
  const auto entry = guests_.find(id);
  if (entry != guests_.end() && !entry->second.wait_status) {
    return absl::AlreadyExistsError(
        absl::StrCat(id, " runs already, as process ", entry->second.pid));
  }
  if (entry == guests_.end() && guests_.size() >= kMost) {
    return absl::ResourceExhaustedError(absl::StrCat(kMost, " processes run already"));
  }
  return absl::OkStatus();
}

void Guests::Add(const std::string& id, int pid, std::string tag, Instant now, std::uint32_t uid) {
  guests_.insert_or_assign(id,
                           Guest{.pid = pid, .tag = std::move(tag), .uid = uid, .started_at = now});
}

int Guests::Signal(const std::string& id, int signal) {
  const auto entry = guests_.find(id);
  if (entry == guests_.end() || entry->second.wait_status) return 0;
  if (signal == SIGTERM || signal == SIGKILL) entry->second.terminated = true;
  return entry->second.pid;
}

std::optional<std::string> Guests::HandleExit(int pid, int wait_status, Instant now) {
  const auto entry = std::find_if(guests_.begin(), guests_.end(), [pid](const auto& each) {
    return each.second.pid == pid && !each.second.wait_status;
  });
  if (entry == guests_.end()) return std::nullopt;
  entry->second.wait_status = wait_status;
  entry->second.ended_at = now;
  std::string id = entry->first;
  Forget(now);
  return id;
}

std::size_t Guests::running() const {
  return static_cast<std::size_t>(std::count_if(
      guests_.begin(), guests_.end(), [](const auto& each) { return !each.second.wait_status; }));
}

void Guests::Forget(Instant now) {
  std::erase_if(guests_, [now](const auto& each) {
    return each.second.wait_status && now - each.second.ended_at >= kRemembered;
  });
}

}  // namespace radix::fulcrum
