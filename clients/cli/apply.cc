// radix apply: replaces a manifest, the group's wish of what runs where.

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "clients/cli/ask.h"
#include "clients/cli/manifest_file.h"
#include "clients/cli/node_process.h"
#include "clients/cli/output.h"
#include "clients/cli/retry.h"
#include "clients/cli/timeout.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/pastiche_client.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;

struct Options {
  std::string file;
  double timeout_s = 30;
};

int Apply(const Invocation& invocation, const Options& options) {
  auto manifest = LoadManifest(options.file);
  if (!manifest.ok()) return Fail(manifest.status());
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());

  const PasticheClient pastiche(Network::At(node->state));
  const auto put = [&](const std::filesystem::path& path) -> absl::StatusOr<std::string> {
    const auto checksum = pastiche.PutFile(path);
    if (!checksum.ok()) return ExplainFile(*node, path.string(), checksum.status());
    return checksum->ToString();
  };
  if (absl::Status status = ResolveFiles(ProgramFolder(), put, *manifest); !status.ok()) {
    return Fail(status);
  }
  proctor::v1::ApplyRequest request;
  *request.mutable_manifest() = *manifest;
  const auto reply = Retry(FromSeconds(options.timeout_s), [&](Duration remaining) {
    return Ask<DeanService>(*node, "dean", &DeanService::Stub::async::Apply, request,
                            {.timeout = std::min<Duration>(remaining, 15s)});
  });
  if (!reply.ok()) return Fail(reply.status());
  if (invocation.json()) {
    PrintJson({{"manifest", manifest->name()},
               {"epoch", reply->epoch()},
               {"revision", reply->revision()}});
  } else {
    std::cout << manifest->name() << " is kept, as revision " << reply->revision()
              << "; `radix status --wait` follows it\n";
  }
  return kExitOk;
}

}  // namespace

void AddApply(CLI::App& app, Invocation& invocation) {
  CLI::App& verb =
      *app.add_subcommand("apply", "Replaces the manifest of that name")->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("file", options->file, "The manifest, in YAML")->required();
  AddTimeout(verb, options->timeout_s, "Seconds to go on trying while nobody leads. Default: 30.");
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Apply(invocation, *options); };
  });
}

}  // namespace radix::cli
