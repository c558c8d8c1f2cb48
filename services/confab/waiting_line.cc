#include "services/confab/waiting_line.h"

#include <algorithm>

namespace radix::confab {

void WaitingLine::Join(const std::string& host, std::uint64_t id) {
  const bool first = waiting_[host].insert(id).second && waiting_.at(host).size() == 1;
  if (first) hosts_.push_back(host);
}

void WaitingLine::Leave(const std::string& host, std::uint64_t id) {
  const auto found = waiting_.find(host);
  if (found == waiting_.end()) return;
  auto& [name, ids] = *found;
  const bool had_its_turn = hosts_.front() == host && *ids.begin() == id;
  ids.erase(id);
  if (!had_its_turn && !ids.empty()) return;
  hosts_.erase(std::ranges::find(hosts_, host));
  if (ids.empty()) {
    waiting_.erase(found);
  } else {
    hosts_.push_back(host);
  }
}

std::optional<std::uint64_t> WaitingLine::next() const {
  if (hosts_.empty()) return std::nullopt;
  return *waiting_.at(hosts_.front()).begin();
}

}  // namespace radix::confab
