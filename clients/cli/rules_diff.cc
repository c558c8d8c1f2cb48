#include "clients/cli/rules_diff.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace radix::cli {
namespace {

using trust::Rule;

std::vector<Rule> OfOperators(const trust::Rules& rules) {
  std::vector<Rule> list;
  std::ranges::copy_if(rules.list(), std::back_inserter(list),
                       [](const Rule& rule) { return rule.line > 0; });
  return list;
}

bool SaySame(const Rule& a, const Rule& b) {
  return a.allows == b.allows && a.verb == b.verb && a.subject == b.subject && a.api == b.api;
}

}  // namespace

std::string RuleChange::ToString() const {
  return absl::StrCat(added ? "+ " : "- ", rule.Placed());
}

std::vector<RuleChange> Diff(const trust::Rules& before, const trust::Rules& after) {
  const std::vector<Rule> old_rules = OfOperators(before);
  const std::vector<Rule> new_rules = OfOperators(after);
  // The length of the longest sequence that both have in common from here on. There are at most
  // 2,048 rules: 8 MB.
  const std::size_t columns = new_rules.size() + 1;
  std::vector<std::uint16_t> common((old_rules.size() + 1) * columns);
  for (std::size_t i = old_rules.size(); i-- > 0;) {
    for (std::size_t j = new_rules.size(); j-- > 0;) {
      common[i * columns + j] =
          SaySame(old_rules[i], new_rules[j])
              ? static_cast<std::uint16_t>(common[(i + 1) * columns + j + 1] + 1)
              : std::max(common[(i + 1) * columns + j], common[i * columns + j + 1]);
    }
  }
  std::vector<RuleChange> changes;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < old_rules.size() || j < new_rules.size()) {
    if (i < old_rules.size() && j < new_rules.size() && SaySame(old_rules[i], new_rules[j])) {
      ++i;
      ++j;
    } else if (j == new_rules.size() || (i < old_rules.size() && common[(i + 1) * columns + j] >=
                                                                     common[i * columns + j + 1])) {
      changes.push_back({false, old_rules[i++]});
    } else {
      changes.push_back({true, new_rules[j++]});
    }
  }
  return changes;
}

}  // namespace radix::cli
