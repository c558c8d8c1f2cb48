// For whom a plugin's door is, and what may be said at it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/trust/party.h"

namespace radix::trust {

// A value.
struct Door {
  std::string id;  // the plugin's, on its node
  Party who;       // as rules speak of it
  std::string api;
  std::string inst;
  std::uint32_t uid = 0;  // as which user and group it runs; 0: as the node's

  bool operator==(const Door&) const = default;
};

// What somebody says of itself, as far as it does.
struct Claim {
  std::optional<std::string> horde;
  std::optional<std::string> service;
  std::optional<std::string> api;
  std::optional<std::string> inst;
};

// Whether that may be said at `door`. PermissionDenied, naming the field, which begins with
// `prefix`, what was said, and whose door it is.
absl::Status CheckClaim(const Door& door, const std::string& prefix, const Claim& claim);

// Whether the plugin of `door` may be called at `said`: only at the address of its `own` node. What
// is no netID passes, for those behind the door say better what is wrong with it. PermissionDenied
// as CheckClaim.
absl::Status CheckAddress(const Door& door, const std::string& field, const std::string& said,
                          const IpAddress& own);

// A short name for a folder, the same for the same `text`, for example a door's id: 10 hex digits.
std::string ShortNameOf(const std::string& text);

}  // namespace radix::trust
