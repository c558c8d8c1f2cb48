// What there is to say of rules that can be read, before they are applied.

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/output.h"
#include "clients/cli/rules_file.h"
#include "services/confab/time.h"
#include "services/trust/review.h"
#include "services/trust/rules.h"

namespace radix::cli {

// What is to be said of one line.
struct Remark {
  int line = 0;
  std::string text;

  bool operator==(const Remark&) const = default;
};

struct RulesReview {
  std::vector<Remark> errors;  // for which the rules are not applied
  std::vector<Remark> warnings;
};

// A name that nobody has is an error unless `allow_unknown`. A pattern that matches nobody, and a
// rule that never decides, are warnings.
RulesReview Review(const trust::Rules& rules, const trust::KnownParties& known, bool allow_unknown);

// What is said of a rule that never decides.
Remark Describe(const trust::NeverReached& rule);

// Who there is, by the word of the manifests, of the registry, and of the inventory of what could
// run: the last is asked only for what `rules` name and the others do not know. Asks again and
// again for `limit` while nobody leads.
absl::StatusOr<trust::KnownParties> AskWhoIsKnown(const LabNode& node, const trust::Rules& rules,
                                                  Duration limit);

// Says on stderr what there is to say of `source`; of many errors only the first.
void PrintReview(const std::string& source, const RulesReview& review);

Json ToJson(const std::vector<Remark>& remarks);

}  // namespace radix::cli
