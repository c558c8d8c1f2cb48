#include "services/trust/rules.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace radix::trust {
namespace {

// What the basic services do to each other over the network. All else they ask on their own node.
constexpr std::string_view kBuiltIn =
    "call radix/reeve        radix/reeve1\n"
    "call radix/reeve        radix/steward1\n"
    "call radix/steward      radix/proctor1\n"
    "call radix/dean         radix/proctor1\n"
    "call radix/dean         radix/pastiche1\n"
    "call radix/pastiche     radix/pastiche1\n"
    "call radix/healthminder radix/reeve1\n"
    // Of an operator, from wherever he is: see `radix keys issue`.
    "call radix/operator.reeve        radix/reeve1\n"
    "call radix/operator.steward      radix/steward1\n"
    "call radix/operator.flock        radix/flock1\n"
    "call radix/operator.heartbeater  radix/heartbeater1\n"
    "call radix/operator.dean         radix/dean1\n"
    "call radix/operator.proctor      radix/proctor1\n"
    "call radix/operator.pastiche     radix/pastiche1\n"
    "call radix/operator.picket       radix/picket1\n"
    "call radix/operator.healthminder radix/healthminder1\n"
    "deny call */* radix/*\n"
    "serve radix/flock        radix/flock1\n"
    "serve radix/heartbeater  radix/heartbeater1\n"
    "serve radix/reeve        radix/reeve1\n"
    "serve radix/steward      radix/steward1\n"
    "serve radix/picket       radix/picket1\n"
    "serve radix/dean         radix/dean1\n"
    "serve radix/proctor      radix/proctor1\n"
    "serve radix/pastiche     radix/pastiche1\n"
    "serve radix/healthminder radix/healthminder1\n"
    "deny serve */* radix/*\n";

std::vector<std::string> Words(std::string_view line) {
  const std::string text(line.substr(0, line.find('#')));
  std::vector<std::string> words;
  for (const auto& word : absl::StrSplit(text, absl::ByAnyChar(" \t\r"), absl::SkipEmpty())) {
    words.emplace_back(word);
  }
  return words;
}

absl::StatusOr<Rule> ParseRule(std::vector<std::string> words) {
  Rule rule;
  if (words.front() == "deny") {
    rule.allows = false;
    words.erase(words.begin());
  }
  const std::string verb = words.empty() ? "" : words.front();
  if (words.size() != 3 || (verb != "call" && verb != "serve")) {
    return absl::InvalidArgumentError(
        "is not '[deny] call CALLER API' or '[deny] serve SERVICE API'");
  }
  rule.verb = verb == "call" ? Verb::kCall : Verb::kServe;
  auto subject = Pattern::Parse(words[1]);
  if (!subject.ok()) return subject.status();
  auto api = Pattern::Parse(words[2]);
  if (!api.ok()) return api.status();
  rule.subject = *std::move(subject);
  rule.api = *std::move(api);
  return rule;
}

// What stands behind `grace`.
absl::StatusOr<std::optional<Duration>> ParseGrace(const std::vector<std::string>& words) {
  std::int64_t seconds = 0;
  if (words.size() == 2 && words[1] == "never") return std::nullopt;
  if (words.size() != 2 || !absl::SimpleAtoi(words[1], &seconds) || seconds < 1 ||
      std::chrono::seconds(seconds) > Rules::kGraceMax) {
    return absl::InvalidArgumentError(
        "is not 'grace SECONDS', 1 to 86400 of them, or 'grace never'");
  }
  return std::chrono::seconds(seconds);
}

}  // namespace

std::string Rule::ToString() const {
  return absl::StrCat(allows ? "" : "deny ", verb == Verb::kCall ? "call " : "serve ",
                      subject.ToString(), " ", api.ToString());
}

std::string Rule::Placed() const {
  return absl::StrCat(line == 0 ? "built in" : absl::StrCat("line ", line), ": ", ToString());
}

std::string Verdict::Reason() const { return rule == nullptr ? "no rule matches" : rule->Placed(); }

absl::Status Rules::ParseInto(std::string_view text, bool numbered) {
  int number = 0;
  int grace_line = 0;
  for (const auto& piece : absl::StrSplit(std::string(text), '\n')) {
    const auto wrong = [&number](const std::string& what) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", what));
    };
    ++number;
    const std::vector<std::string> words = Words(std::string_view(piece.data(), piece.size()));
    if (words.empty()) continue;
    if (words.front() == "grace") {
      const auto grace = ParseGrace(words);
      if (!grace.ok()) return wrong(std::string(grace.status().message()));
      if (grace_line > 0) return wrong(absl::StrCat("line ", grace_line, " says a grace already"));
      grace_ = *grace;
      grace_line = number;
      continue;
    }
    auto rule = ParseRule(words);
    if (!rule.ok()) return wrong(std::string(rule.status().message()));
    rule->line = numbered ? number : 0;
    rules_.push_back(*std::move(rule));
    if (rules_.size() > kRulesMax) return wrong(absl::StrCat("more than ", kRulesMax, " rules"));
  }
  return absl::OkStatus();
}

Rules::Rules() { ParseInto(kBuiltIn, /*numbered=*/false).IgnoreError(); }

absl::StatusOr<Rules> Rules::Parse(std::string_view text) {
  if (text.size() > kTextMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("is longer than ", kTextMax, " bytes; patterns with '*' make it shorter"));
  }
  Rules rules;
  if (absl::Status status = rules.ParseInto(text, /*numbered=*/true); !status.ok()) {
    return status;
  }
  return rules;
}

absl::StatusOr<Rules> Rules::FromDecision(const std::string& key, std::string_view value) {
  if (key != kKey) {
    return absl::InvalidArgumentError(
        absl::StrCat("rules: the key must be '", kKey, "': there is one list of rules"));
  }
  if (value.empty()) {
    return absl::InvalidArgumentError(
        "rules: the text is empty; a list without any rule is a line with a comment");
  }
  auto rules = Parse(value);
  if (rules.ok()) return rules;
  return absl::InvalidArgumentError(absl::StrCat("rules: ", std::string(rules.status().message())));
}

Verdict Rules::Decide(Verb verb, const Party& subject, const Party& api) const {
  const auto decides = std::ranges::find_if(rules_, [&](const Rule& rule) {
    return rule.verb == verb && rule.subject.Matches(subject) && rule.api.Matches(api);
  });
  if (decides == rules_.end()) return {};
  return {decides->allows, &*decides};
}

}  // namespace radix::trust
