// What the commands about rules have in common: the rules of the group's operators, as one node or
// the leader has them.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "services/confab/time.h"
#include "services/trust/rules.h"

namespace radix::cli {

struct DecidedRules {
  std::optional<std::string> text;  // as it was applied; nullopt: nobody ever decided any
  trust::Rules rules;               // those and what is built in
};

// By what it says: what changed in between has another. 16 hex digits; "none" for nullopt.
std::string VersionOf(const std::optional<std::string>& text);

// What `node` has on disk, and goes by; also while nobody leads.
absl::StatusOr<DecidedRules> RulesAt(const LabNode& node);

// What was decided last, by the word of the leader, whom `node` asks; again and again for `limit`
// while there is none.
absl::StatusOr<DecidedRules> RulesOfLeader(const LabNode& node, Duration limit);

// Has `text` decided in the place of `before`; asks as RulesOfLeader does. Returns the revision of
// the group's decisions.
//
// Errors: Aborted, when something else was decided meanwhile; InvalidArgument, when the text holds
// no rules; ResourceExhausted, when there is no room for it. Nothing was changed then.
absl::StatusOr<std::int64_t> Decide(const LabNode& node, const std::string& text,
                                    const std::optional<std::string>& before, Duration limit);

// As a line of a file would say it: "grace 60".
std::string GraceOf(const trust::Rules& rules);

// A rule and where it stands, as `rules show -o json` has it.
Json ToJson(const trust::Rule& rule);

void AddRulesApply(CLI::App& rules, Invocation& invocation);
void AddRulesCheck(CLI::App& rules, Invocation& invocation);
void AddRulesExplain(CLI::App& rules, Invocation& invocation);

}  // namespace radix::cli
