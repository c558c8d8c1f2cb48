// radix fetch: gets a file by its checksum, from whichever node has it.

#include <filesystem>
#include <memory>
#include <string>

#include "clients/cli/ask.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/pastiche_client.h"

namespace radix::cli {
namespace {

struct Options {
  std::string checksum;
  std::string out;
};

int Fetch(const Invocation& invocation, const Options& options) {
  const auto checksum = Checksum::Parse(options.checksum);
  if (!checksum.ok()) return FailUsage(checksum.status());
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const absl::Status status =
      PasticheClient(Network::At(node->state)).FetchFile(*checksum, options.out);
  if (!status.ok()) return Fail(ExplainFile(*node, options.out, status));
  std::error_code error;
  return Report(invocation.json(),
                {{"checksum", checksum->ToString()},
                 {"size_bytes", std::filesystem::file_size(options.out, error)},
                 {"out", options.out}},
                options.out);
}

}  // namespace

void AddFetch(CLI::App& app, Invocation& invocation) {
  CLI::App& verb = *app.add_subcommand("fetch", "Gets a file by its checksum")->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("checksum", options->checksum, "sha256:HEX, as `radix put` printed it")
      ->required();
  verb.add_option("--out", options->out, "Where to write it")->required();
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Fetch(invocation, *options); };
  });
}

}  // namespace radix::cli
