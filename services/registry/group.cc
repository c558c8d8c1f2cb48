#include "services/registry/group.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace radix::registry {

const Member* Group::Find(const IpAddress& address) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Member& member) { return member.address == address; });
  return found == members.end() ? nullptr : &*found;
}

std::set<std::string> Group::Unsuspected() const {
  std::set<std::string> addresses;
  for (const Member& member : members) {
    if (member.alive && !member.suspected) addresses.insert(member.address.ToString());
  }
  return addresses;
}

absl::Status CheckIsAt(const IpAddress& address, std::uint64_t proved, std::uint64_t listed) {
  if (listed == 0) {
    return absl::UnavailableError(absl::StrCat(
        "hello.address: the leader's flock knows of no node at ", address.ToString(), " so far"));
  }
  if (proved == listed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("hello.address: the node at ", address.ToString(),
                                                  " has another key than you have"));
}

}  // namespace radix::registry
