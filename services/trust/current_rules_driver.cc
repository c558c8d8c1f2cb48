#include "services/trust/current_rules_driver.h"

#include <utility>

namespace radix::trust {

std::shared_ptr<const Rules> CurrentRules::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

bool CurrentRules::SetRules(Rules rules) {
  const std::lock_guard telling(telling_);
  const auto next = std::make_shared<const Rules>(std::move(rules));
  {
    const std::lock_guard lock(mutex_);
    if (rules_ != nullptr && *rules_ == *next) return false;
    rules_ = next;
  }
  for (const Listener& changed : listeners_) changed(next);
  return true;
}

void CurrentRules::OnChange(Listener changed) {
  const std::lock_guard telling(telling_);
  if (const auto now = rules(); now != nullptr) changed(now);
  listeners_.push_back(std::move(changed));
}

}  // namespace radix::trust
