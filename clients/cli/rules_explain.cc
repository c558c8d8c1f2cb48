// radix rules explain: whether somebody may call or serve something, and which rule says so.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/rules.h"
#include "services/trust/party.h"

namespace radix::cli {
namespace {

using trust::Party;

struct Options {
  std::string subject;
  std::string api;
  bool serve = false;
};

int ExplainRules(const Invocation& invocation, const Options& options) {
  const auto subject = Party::Parse(options.subject);
  if (!subject.ok()) return FailUsage(subject.status());
  const auto api = Party::Parse(options.api);
  if (!api.ok()) return FailUsage(api.status());
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto decided = RulesAt(*node);
  if (!decided.ok()) return Fail(decided.status());
  const trust::Verb verb = options.serve ? trust::Verb::kServe : trust::Verb::kCall;
  const std::string word = options.serve ? "serve" : "call";
  const trust::Verdict verdict = decided->rules.Decide(verb, *subject, *api);
  Report(invocation.json(),
         {{"subject", subject->ToString()},
          {"api", api->ToString()},
          {"verb", word},
          {"allowed", verdict.allowed},
          {"rule", verdict.rule == nullptr ? Json(nullptr) : ToJson(*verdict.rule)},
          {"reason", verdict.Reason()}},
         absl::StrCat(subject->ToString(), verdict.allowed ? " may " : " may not ", word, " ",
                      api->ToString(), ": ", verdict.Reason()));
  return verdict.allowed ? kExitOk : kExitRefused;
}

}  // namespace

void AddRulesExplain(CLI::App& rules, Invocation& invocation) {
  CLI::App& verb = *rules
                        .add_subcommand("explain",
                                        "Says whether a service may call an api, and which rule "
                                        "decides; exits with 1 if it may not")
                        ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("caller", options->subject,
                  "Who calls: the horde and what its manifest calls it, for example shop/front")
      ->required();
  verb.add_option("destination", options->api,
                  "What is called: horde and api, for example shop/cart2")
      ->required();
  verb.add_flag("--serve", options->serve, "Whether it may serve that api instead");
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return ExplainRules(invocation, *options); };
  });
}

}  // namespace radix::cli
