// What is different between two lists of rules.

#pragma once

#include <string>
#include <vector>

#include "services/trust/rules.h"

namespace radix::cli {

struct RuleChange {
  bool added = false;  // else it is removed
  trust::Rule rule;    // with the line that it has, or had

  // For example "+ line 3: call a/b c/d".
  std::string ToString() const;
};

// The fewest changes of operators' rules that make `after` of `before`, in order. Rules decide in
// their order, so one that moved is removed and added; their lines do not matter.
std::vector<RuleChange> Diff(const trust::Rules& before, const trust::Rules& after);

}  // namespace radix::cli
