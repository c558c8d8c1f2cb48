// radix rules: the command itself, and radix rules show: by which rules a node goes.

#include "clients/cli/rules.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/decisions.h"
#include "clients/cpp/checksum.h"

namespace radix::cli {
namespace {

using trust::Rule;
using trust::Rules;

constexpr std::size_t kVersionDigits = 16;

absl::StatusOr<DecidedRules> RulesIn(const LabNode& node,
                                     const absl::StatusOr<Decisions>& decisions) {
  if (!decisions.ok()) return decisions.status();
  DecidedRules decided;
  for (const proctor::v1::Decision& decision : *decisions) {
    auto rules = Rules::FromDecision(decision.key(), decision.value());
    if (!rules.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "this radix cannot read what ", node.name,
          " has: ", std::string(rules.status().message()), "; one of its own version can"));
    }
    decided = {decision.value(), *std::move(rules)};
  }
  return decided;
}

void PrintText(const DecidedRules& decided) {
  std::vector<std::vector<std::string>> rows;
  for (const Rule& rule : decided.rules.list()) {
    rows.push_back({rule.line == 0 ? "built in" : absl::StrCat("line ", rule.line),
                    absl::StrCat(rule.allows ? "" : "deny ",
                                 rule.verb == trust::Verb::kCall ? "call" : "serve"),
                    rule.subject.ToString(), rule.api.ToString()});
  }
  PrintTable(rows);
  std::cout << '\n'
            << GraceOf(decided.rules) << ": how long a node without a leader lets in callers "
            << "from other nodes\n"
            << (decided.text ? absl::StrCat("version ", VersionOf(decided.text),
                                            "; `radix rules show --text` prints the operators' "
                                            "rules as they were written\n")
                             : "operators have decided none yet, so only the basic services may "
                               "do anything; `radix rules apply FILE` decides\n");
}

void PrintAsJson(const DecidedRules& decided) {
  Json rules = Json::array();
  for (const Rule& rule : decided.rules.list()) rules.push_back(ToJson(rule));
  PrintJson({{"version", VersionOf(decided.text)},
             {"text", decided.text ? Json(*decided.text) : Json(nullptr)},
             {"grace_s", decided.rules.grace() ? Json(*decided.rules.grace() / 1s) : Json(nullptr)},
             {"rules", std::move(rules)}});
}

int Show(const Invocation& invocation, bool as_text) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto decided = RulesAt(*node);
  if (!decided.ok()) return Fail(decided.status());
  if (invocation.json()) {
    PrintAsJson(*decided);
  } else if (!as_text) {
    PrintText(*decided);
  } else if (decided->text) {
    std::cout << *decided->text;
  } else {
    return Fail(absl::NotFoundError("operators have decided no rules yet"));
  }
  return kExitOk;
}

}  // namespace

std::string VersionOf(const std::optional<std::string>& text) {
  return text ? Sha256::Of(*text).Hex().substr(0, kVersionDigits) : "none";
}

absl::StatusOr<DecidedRules> RulesAt(const LabNode& node) {
  return RulesIn(node, DecisionsAt(node, Rules::kKind));
}

absl::StatusOr<DecidedRules> RulesOfLeader(const LabNode& node, Duration limit) {
  return RulesIn(node, DecisionsOfLeader(node, Rules::kKind, limit));
}

absl::StatusOr<std::int64_t> Decide(const LabNode& node, const std::string& text,
                                    const std::optional<std::string>& before, Duration limit) {
  proctor::v1::Decision decision;
  decision.set_kind(Rules::kKind);
  decision.set_key(Rules::kKey);
  decision.set_value(text);
  return Decide(node, decision, before, limit);
}

std::string GraceOf(const Rules& rules) {
  return rules.grace() ? absl::StrCat("grace ", *rules.grace() / 1s) : "grace never";
}

Json ToJson(const Rule& rule) {
  return {{"line", rule.line == 0 ? Json(nullptr) : Json(rule.line)},
          {"built_in", rule.line == 0},
          {"allows", rule.allows},
          {"verb", rule.verb == trust::Verb::kCall ? "call" : "serve"},
          {"subject", rule.subject.ToString()},
          {"api", rule.api.ToString()}};
}

void AddRules(CLI::App& app, Invocation& invocation) {
  CLI::App& rules = *app.add_subcommand("rules", "Who may call and who may serve what");
  rules.require_subcommand(1);
  rules.fallthrough();
  CLI::App& show = *rules
                        .add_subcommand("show",
                                        "Lists the rules by which a node goes, in the order in "
                                        "which they decide")
                        ->fallthrough();
  const auto as_text = std::make_shared<bool>(false);
  show.add_flag("--text", *as_text, "The operators' rules alone, as they were applied");
  show.callback([&invocation, as_text] {
    invocation.run = [&invocation, as_text] { return Show(invocation, *as_text); };
  });
  AddRulesCheck(rules, invocation);
  AddRulesApply(rules, invocation);
  AddRulesExplain(rules, invocation);
}

}  // namespace radix::cli
