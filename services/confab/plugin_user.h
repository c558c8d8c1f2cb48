// As which users plugins run, where the node runs as root.

#pragma once

#include <cstdint>

namespace radix {

// The numbers of users and groups that a node may give to its plugins: the range from which systemd
// takes those that exist for a moment, so nobody else should be there.
constexpr std::uint32_t kPluginUserMin = 61184;
constexpr std::uint32_t kPluginUserMax = 65519;

constexpr bool IsPluginUser(std::uint32_t uid) {
  return uid >= kPluginUserMin && uid <= kPluginUserMax;
}

}  // namespace radix
