#include "services/picket/user_table.h"

#include "services/confab/plugin_user.h"
#include "services/confab/random.h"

namespace radix::picket {
namespace {

constexpr std::uint32_t kCount = kPluginUserMax - kPluginUserMin + 1;

// FNV-1a; the generator behind it does the mixing.
std::uint64_t HashOf(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::optional<std::uint32_t> UserTable::For(const std::string& horde, const std::string& service,
                                            const std::function<bool(std::uint32_t)>& is_taken) {
  const Service key(horde, service);
  if (const auto known = numbers_.find(key); known != numbers_.end()) return known->second;
  const std::uint64_t first = Random(HashOf(salt_ + "/" + horde + "/" + service)).Below(kCount);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const auto uid = static_cast<std::uint32_t>(kPluginUserMin + (first + i) % kCount);
    if (services_.contains(uid) || is_taken(uid)) continue;
    Learn(horde, service, uid);
    return uid;
  }
  return std::nullopt;
}

void UserTable::Learn(const std::string& horde, const std::string& service, std::uint32_t uid) {
  const Service key(horde, service);
  if (!IsPluginUser(uid) || numbers_.contains(key) || services_.contains(uid)) return;
  numbers_[key] = uid;
  services_[uid] = key;
}

}  // namespace radix::picket
