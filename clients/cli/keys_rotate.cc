// radix keys rotate secondary: see secondary_key_rotation.h.

#include <memory>
#include <string>

#include "clients/cli/keys.h"
#include "clients/cli/secondary_key_rotation.h"
#include "clients/cli/timeout.h"

namespace radix::cli {
namespace {

struct Options : RotationOptions {
  std::string kind;
};

int Rotate(const Invocation& invocation, const Options& options) {
  auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  Rotation rotation(*node, options);
  const absl::Status status = rotation.Run(!invocation.json());
  if (invocation.json()) PrintJson(rotation.Outcome());
  return status.ok() ? kExitOk : Fail(status);
}

}  // namespace

void AddKeysRotate(CLI::App& keys, Invocation& invocation) {
  CLI::App& verb = *keys.add_subcommand("rotate",
                                        "Replaces a key on every node: install, use, remove. "
                                        "Interrupted, it goes on from there when it is run again")
                        ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("kind", options->kind,
                  "`secondary`: the key in the key file. The transient key rotates by itself.")
      ->required()
      ->check(CLI::IsMember({"secondary"}));
  verb.add_option("--phase", options->phase, "Only this phase: install, use or remove")
      ->check(CLI::IsMember({"install", "use", "remove"}));
  verb.add_option("--from", options->from,
                  "The key to rotate away from, as `keys status` shows it: given again when all "
                  "is done, the command then does nothing. Default: the current one.")
      ->check([](const std::string& text) -> std::string {
        const bool valid =
            text.size() == 8 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
        return valid ? "" : "'" + text + "' is not the eight hex digits of a key";
      });
  verb.add_flag("--force", options->force,
                "Go on after --timeout although nodes have not acknowledged; a quorum must have");
  AddTimeout(verb, options->timeout_s, "Seconds to wait for the nodes in each phase. Default: 30.");
  verb.callback([&invocation, options] {
    invocation.run = [&invocation, options] { return Rotate(invocation, *options); };
  });
}

}  // namespace radix::cli
