// The group, as flock tells its own node.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/time.h"

namespace radix::registry {

// One node that flock knows of.
struct Member {
  IpAddress address;
  std::string node;  // empty until it was learnt
  std::string boot;  // another one after each boot
  std::vector<std::string> labels;
  bool alive = false;  // or suspected, which may still be refuted; not dead, and has not left
};

// What the registry needs of it.
struct Group {
  std::uint64_t epoch = 0;                  // the sealed leader's; 0 without one
  std::optional<IpAddress> leader;          // the sealed leader's address
  std::optional<Duration> lease_remaining;  // set while this node is the sealed leader
  bool turned_away = false;                 // this node is one more than the charter's at_most
  std::vector<Member> members;
};

}  // namespace radix::registry
