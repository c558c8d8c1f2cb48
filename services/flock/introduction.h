// What a node says about itself to those who ask.

#pragma once

#include <string>
#include <vector>

namespace radix::flock {

// One node's word about itself.
struct Introduction {
  std::string name;                 // 1 to 63 characters of [a-z0-9-]
  std::vector<std::string> labels;  // `tag` or `key=value` texts

  bool operator==(const Introduction&) const = default;
};

}  // namespace radix::flock
