#include "services/registry/hordes.h"

#include <utility>

namespace radix::registry {

Standing Horde::StandingOf(std::uint64_t node) const {
  const auto found = named.find(node);
  if (found != named.end()) return found->second.standing;
  return every_node ? Standing::kAdmitted : Standing::kOutside;
}

void Horde::Set(std::uint64_t node, const std::string& name, Standing standing) {
  if (standing == (every_node ? Standing::kAdmitted : Standing::kOutside)) {
    named.erase(node);
  } else {
    named[node] = {name, standing};
  }
}

void Horde::SetAll(Standing standing) {
  every_node = standing == Standing::kAdmitted;
  named.clear();
}

Hordes::Hordes()
    : hordes_{{kRadix, {.every_node = true, .named = {}}},
              {kDefault, {.every_node = true, .named = {}}}} {}

void Hordes::Put(const std::string& name, Horde horde) { hordes_[name] = std::move(horde); }

const Horde* Hordes::Find(const std::string& name) const {
  const auto found = hordes_.find(name);
  return found == hordes_.end() ? nullptr : &found->second;
}

Standing Hordes::StandingOf(const std::string& name, std::uint64_t node) const {
  const Horde* horde = Find(name);
  return horde == nullptr ? Standing::kOutside : horde->StandingOf(node);
}

}  // namespace radix::registry
