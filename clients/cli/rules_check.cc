// radix rules check: says what is wrong with a file of rules, and what looks so.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/rules.h"
#include "clients/cli/rules_file.h"
#include "clients/cli/rules_review.h"
#include "clients/cli/timeout.h"

namespace radix::cli {
namespace {

struct Options {
  std::string file;
  bool allow_unknown = false;
  double timeout_s = 30;
};

// Who there is. Where names need not be known it is no fault that nobody can be asked.
absl::StatusOr<trust::KnownParties> WhoIsKnown(const Invocation& invocation,
                                               const trust::Rules& rules, const Options& options) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return node.status();
  return AskWhoIsKnown(*node, rules, FromSeconds(options.timeout_s));
}

int Check(const Invocation& invocation, const Options& options) {
  const auto file = LoadRules(options.file);
  if (!file.ok()) return Fail(file.status());
  RulesReview review;
  const auto known = WhoIsKnown(invocation, file->rules, options);
  if (known.ok()) {
    review = Review(file->rules, *known, options.allow_unknown);
  } else {
    // What the text alone tells is said all the same.
    for (const trust::NeverReached& each : FindNeverReached(file->rules)) {
      review.warnings.push_back(Describe(each));
    }
  }
  PrintReview(file->source, review);
  if (!known.ok() && !options.allow_unknown) {
    return Fail(absl::Status(known.status().code(),
                             absl::StrCat(file->source,
                                          ": can be read, but whether it names somebody unknown "
                                          "was not to be found out: ",
                                          std::string(known.status().message()),
                                          "; with --allow-unknown only the text counts")));
  }
  const auto count = std::ranges::count_if(file->rules.list(),
                                           [](const trust::Rule& rule) { return rule.line > 0; });
  const Json json = {{"file", file->source},
                     {"rules", count},
                     {"errors", ToJson(review.errors)},
                     {"warnings", ToJson(review.warnings)}};
  if (!review.errors.empty()) {
    if (invocation.json()) PrintJson(json);
    return kExitRefused;
  }
  return Report(invocation.json(), json,
                absl::StrCat(file->source, ": ", count, " rules, which can be applied"));
}

}  // namespace

void AddRulesCheck(CLI::App& rules, Invocation& invocation) {
  CLI::App& verb =
      *rules.add_subcommand("check", "Says what is wrong with a file of rules, and what looks so")
           ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("file", options->file, "The rules; - for standard input")->required();
  verb.add_flag("--allow-unknown", options->allow_unknown,
                "Names that nobody knows are only warned of");
  AddTimeout(verb, options->timeout_s, "Seconds to go on asking while nobody leads. Default: 30.");
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Check(invocation, *options); };
  });
}

}  // namespace radix::cli
