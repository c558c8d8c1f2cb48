// radix put: stores a file in a node's pastiche.

#include <filesystem>
#include <memory>
#include <string>

#include "clients/cli/ask.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/pastiche_client.h"

namespace radix::cli {
namespace {

int Put(const Invocation& invocation, const std::filesystem::path& path) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto checksum = PasticheClient(Network::At(node->state)).PutFile(path);
  if (!checksum.ok()) return Fail(ExplainFile(*node, path.string(), checksum.status()));
  std::error_code error;
  return Report(invocation.json(),
                {{"checksum", checksum->ToString()},
                 {"size_bytes", std::filesystem::file_size(path, error)},
                 {"node", node->name}},
                checksum->ToString());
}

}  // namespace

void AddPut(CLI::App& app, Invocation& invocation) {
  CLI::App& verb =
      *app.add_subcommand("put", "Stores a file; prints the checksum by which any node has it")
           ->fallthrough();
  const auto path = std::make_shared<std::string>();
  verb.add_option("file", *path, "The file")->required();
  verb.callback(
      [&invocation, path] { invocation.run = [&, path] { return Put(invocation, *path); }; });
}

}  // namespace radix::cli
