#include "services/confab/places.h"

#include <limits>

namespace radix::confab {

void Places::Take(const std::string& host, std::uint64_t id) {
  Ids& ids = of_host_[host];
  Unrank(host, ids);
  ids.insert(id);
  Rank(host, ids);
  ++size_;
}

void Places::Leave(const std::string& host, std::uint64_t id) {
  const auto found = of_host_.find(host);
  if (found == of_host_.end() || !found->second.contains(id)) return;
  Unrank(host, found->second);
  found->second.erase(id);
  --size_;
  if (found->second.empty()) {
    of_host_.erase(found);
  } else {
    Rank(host, found->second);
  }
}

std::size_t Places::Of(const std::string& host) const {
  const auto found = of_host_.find(host);
  return found == of_host_.end() ? 0 : found->second.size();
}

std::optional<Places::Place> Places::MostCrowding() const {
  if (ranks_.empty()) return std::nullopt;
  const auto& [fewer, oldest, host] = *ranks_.begin();
  return Place{host, oldest};
}

// Most of all first.
void Places::Rank(const std::string& host, const Ids& ids) {
  if (ids.empty()) return;
  ranks_.emplace(std::numeric_limits<std::size_t>::max() - ids.size(), *ids.begin(), host);
}

void Places::Unrank(const std::string& host, const Ids& ids) {
  if (ids.empty()) return;
  ranks_.erase({std::numeric_limits<std::size_t>::max() - ids.size(), *ids.begin(), host});
}

}  // namespace radix::confab
