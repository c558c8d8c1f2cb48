// radix rules apply: has the group decide by other rules.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/rules.h"
#include "clients/cli/rules_diff.h"
#include "clients/cli/rules_file.h"
#include "clients/cli/rules_review.h"
#include "clients/cli/timeout.h"

namespace radix::cli {
namespace {

struct Options {
  std::string file;
  std::string expect;
  bool allow_unknown = false;
  double timeout_s = 30;
};

absl::Status Moved(const std::string& what) {
  return absl::AbortedError(absl::StrCat(
      "the world moved: ", what,
      "; nothing was changed. `radix rules show` shows what holds now; apply again on top of it"));
}

Json RulesIn(const std::vector<RuleChange>& changes, bool added) {
  Json json = Json::array();
  for (const RuleChange& change : changes) {
    if (change.added == added) json.push_back(ToJson(change.rule));
  }
  return json;
}

int Apply(const Invocation& invocation, const Options& options) {
  const auto file = LoadRules(options.file);
  if (!file.ok()) return Fail(file.status());
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const Duration limit = FromSeconds(options.timeout_s);
  const auto before = RulesOfLeader(*node, limit);
  if (!before.ok()) return Fail(before.status());
  const std::string version = VersionOf(before->text);
  if (!options.expect.empty() && options.expect != version) {
    return Fail(Moved(absl::StrCat("the rules are version ", version, ", not ", options.expect)));
  }
  const auto known = AskWhoIsKnown(*node, file->rules, limit);
  if (!known.ok()) return Fail(known.status());
  const RulesReview review = Review(file->rules, *known, options.allow_unknown);
  PrintReview(file->source, review);
  if (!review.errors.empty()) return kExitRefused;

  const std::vector<RuleChange> changes = Diff(before->rules, file->rules);
  const bool is_new = before->text != file->text;
  const bool same_grace = before->rules.grace() == file->rules.grace();
  if (!invocation.json()) {
    for (const RuleChange& change : changes) std::cout << change.ToString() << '\n';
    if (!same_grace) std::cout << "+ " << GraceOf(file->rules) << '\n';
    std::cout.flush();
  }
  Json json = {{"version", VersionOf(file->text)},
               {"changed", is_new},
               {"grace_s", file->rules.grace() ? Json(*file->rules.grace() / 1s) : Json(nullptr)},
               {"added", RulesIn(changes, true)},
               {"removed", RulesIn(changes, false)}};
  if (!is_new) return Report(invocation.json(), json, "the rules are as in the file already");
  const auto revision = Decide(*node, file->text, before->text, limit);
  if (absl::IsAborted(revision.status())) {
    return Fail(Moved(absl::StrCat("the rules are not version ", version, " any more")));
  }
  if (!revision.ok()) return Fail(revision.status());
  json["revision"] = *revision;
  return Report(
      invocation.json(), json,
      absl::StrCat(
          changes.empty() && same_grace ? "only the text is different; it is" : "the rules are",
          " kept, as revision ", *revision, ", version ", VersionOf(file->text)));
}

}  // namespace

void AddRulesApply(CLI::App& rules, Invocation& invocation) {
  CLI::App& verb =
      *rules
           .add_subcommand("apply",
                           "Replaces the operators' rules on every node; says what that changes")
           ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("file", options->file, "The rules, all of them; - for standard input")
      ->required();
  verb.add_option("--expect", options->expect,
                  "Only if the rules are still this version, as `rules show` has it; none: if "
                  "none were decided");
  verb.add_flag("--allow-unknown", options->allow_unknown,
                "Names that nobody knows are only warned of");
  AddTimeout(verb, options->timeout_s, "Seconds to go on trying while nobody leads. Default: 30.");
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Apply(invocation, *options); };
  });
}

}  // namespace radix::cli
