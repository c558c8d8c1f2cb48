#include "services/registry/group.h"

#include <algorithm>

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

}  // namespace radix::registry
