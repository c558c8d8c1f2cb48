#include "services/khan/spread.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace radix::khan {
namespace {

// FNV-1a over both names, then SplitMix64's finisher, so that similar names lie far apart.
std::uint64_t Rendezvous(const std::string& service, const std::string& node) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&hash](char c) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  for (char c : service) add(c);
  add('\0');
  for (char c : node) add(c);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

}  // namespace

std::vector<std::int64_t> Spread(const std::string& service, std::int64_t total,
                                 const std::vector<Candidate>& candidates) {
  std::vector<std::int64_t> shares(candidates.size(), 0);
  if (candidates.empty() || total == 0) return shares;
  const auto width = static_cast<std::int64_t>(candidates.size());
  const std::int64_t most = (total + width - 1) / width;

  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  order.reserve(candidates.size());
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    shares[i] = std::min(candidates[i].present, most);
    sum += shares[i];
    order.emplace_back(Rendezvous(service, *candidates[i].name), i);
  }
  std::sort(order.begin(), order.end());

  // Too many stay: the fullest nodes give, the last of the order first.
  for (std::int64_t level = most; sum > total; --level) {
    for (auto each = order.rbegin(); each != order.rend() && sum > total; ++each) {
      if (shares[each->second] != level) continue;
      --shares[each->second];
      --sum;
    }
  }
  // Too few: the emptiest nodes take, the first of the order first.
  for (std::int64_t level = 0; sum < total; ++level) {
    for (auto each = order.begin(); each != order.end() && sum < total; ++each) {
      if (shares[each->second] != level) continue;
      ++shares[each->second];
      ++sum;
    }
  }
  return shares;
}

}  // namespace radix::khan
