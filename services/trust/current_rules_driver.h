// The rules by which a node goes now, for those of its process who ask and who wait for others.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "services/trust/rules.h"

namespace radix::trust {

// Thread-safe.
class CurrentRules {
 public:
  using Listener = std::function<void(const std::shared_ptr<const Rules>& rules)>;

  // Those in force; nullptr until somebody has said what the group decided. Whoever has to decide
  // before that waits, or says no. They stay as they are: others take their place.
  std::shared_ptr<const Rules> rules() const;

  // From now on it is these. Returns whether they are others than before.
  bool SetRules(Rules rules);

  // Calls `changed` with those that there are, unless there are none yet, and with all that take
  // their place: in that order, one at a time, on the thread that sets them. It may ask for
  // rules(), and must not call the others. There is no end to it: it must live as long as this.
  void OnChange(Listener changed);

 private:
  std::mutex telling_;  // taken first
  mutable std::mutex mutex_;
  std::shared_ptr<const Rules> rules_;
  std::vector<Listener> listeners_;  // guarded by telling_
};

}  // namespace radix::trust
