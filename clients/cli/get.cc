// radix get: where the best instance of an api, or of one version, is.

#include <memory>
#include <string>
#include <vector>

#include "clients/cli/ask.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::cli {
namespace {

using reeve::v1::LookupRequest;
using reeve::v1::ReeveService;

struct Options {
  std::string name;
  std::string horde;
};

// The questions to ask, in turn: the name as an api, then as an inst, in each horde.
std::vector<LookupRequest> Questions(const Options& options) {
  std::vector<LookupRequest> questions;
  const std::vector<std::string> hordes = options.horde.empty()
                                              ? std::vector<std::string>{"default", "radix"}
                                              : std::vector<std::string>{options.horde};
  for (const std::string& horde : hordes) {
    LookupRequest by_api;
    by_api.mutable_selector()->set_horde(horde);
    LookupRequest by_inst = by_api;
    by_api.mutable_selector()->set_api(options.name);
    by_inst.mutable_selector()->set_inst(options.name);
    questions.push_back(by_api);
    questions.push_back(by_inst);
  }
  return questions;
}

int Get(const Invocation& invocation, const Options& options) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  for (const LookupRequest& question : Questions(options)) {
    const auto reply =
        Ask<ReeveService>(*node, "reeve", &ReeveService::Stub::async::Lookup, question);
    if (absl::IsNotFound(reply.status())) continue;
    if (!reply.ok()) return Fail(reply.status());
    const auto& best = reply->instances(0);
    return Report(invocation.json(),
                  {{"api", best.api()},
                   {"inst", best.inst()},
                   {"node", best.node()},
                   {"net_id", best.net_id()}},
                  best.net_id());
  }
  return Fail(absl::NotFoundError(
      absl::StrCat("no live instance of '", options.name, "', neither as an api nor as an inst",
                   options.horde.empty() ? "" : " in horde " + options.horde,
                   "; `radix services` lists what there is")));
}

}  // namespace

void AddGet(CLI::App& app, Invocation& invocation) {
  CLI::App& verb = *app.add_subcommand("get", "Says where the best instance of an api or inst is")
                        ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("name", options->name, "An api, for example galumph2, or an inst, galumph2_3")
      ->required();
  verb.add_option("--horde", options->horde, "Only in this horde. Default: default, then radix.");
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Get(invocation, *options); };
  });
}

}  // namespace radix::cli
