#include "services/trust/review.h"

#include <algorithm>
#include <string_view>

namespace radix::trust {
namespace {

// Whether one part of a pattern matches whatever the other one matches.
bool PartCovers(std::string_view wide, std::string_view narrow) {
  if (!wide.ends_with('*')) return wide == narrow;
  wide.remove_suffix(1);
  return narrow.starts_with(wide);
}

bool Covers(const Pattern& wide, const Pattern& narrow) {
  return PartCovers(wide.horde, narrow.horde) && PartCovers(wide.service, narrow.service);
}

bool Covers(const Rule& wide, const Rule& narrow) {
  return wide.verb == narrow.verb && Covers(wide.subject, narrow.subject) &&
         Covers(wide.api, narrow.api);
}

bool IsKnown(const Pattern& pattern, const std::set<Party>& known) {
  // There is such a horde, also while nothing runs in it.
  if (pattern == Pattern{"default", "*"}) return true;
  return std::ranges::any_of(known, [&](const Party& party) { return pattern.Matches(party); });
}

}  // namespace

std::vector<NeverReached> FindNeverReached(const Rules& rules) {
  std::vector<NeverReached> found;
  const std::vector<Rule>& list = rules.list();
  for (auto rule = list.begin(); rule != list.end(); ++rule) {
    if (rule->line == 0) continue;
    const auto decides =
        std::find_if(list.begin(), rule, [&](const Rule& each) { return Covers(each, *rule); });
    if (decides != rule) found.push_back({&*rule, &*decides});
  }
  return found;
}

KnownParties KnownParties::Basic() {
  KnownParties known{.subjects = {{"default", "operator"}}};
  const Rules built_in;
  for (const Rule& rule : built_in.list()) {
    if (!rule.allows) continue;
    known.subjects.insert({rule.subject.horde, rule.subject.service});
    known.apis.insert({rule.api.horde, rule.api.service});
  }
  return known;
}

std::vector<UnknownParty> FindUnknown(const Rules& rules, const KnownParties& known) {
  std::vector<UnknownParty> unknown;
  for (const Rule& rule : rules.list()) {
    if (rule.line == 0) continue;
    if (!IsKnown(rule.subject, known.subjects)) {
      unknown.push_back({rule.line, rule.subject.ToString(), false, rule.subject.IsExact()});
    }
    if (!IsKnown(rule.api, known.apis)) {
      unknown.push_back({rule.line, rule.api.ToString(), true, rule.api.IsExact()});
    }
  }
  return unknown;
}

}  // namespace radix::trust
