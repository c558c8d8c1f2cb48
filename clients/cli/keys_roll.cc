// radix keys roll: has what runs on a node take other TLS keys.

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/keys.h"
#include "radix/trust/v1/pairing.grpc.pb.h"

namespace radix::cli {
namespace {

using trust::v1::PairingService;

int Roll(const Invocation& invocation) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto told = Ask<PairingService>(*node, "reeve", &PairingService::Stub::async::RollKeys, {});
  if (!told.ok()) return Fail(told.status());
  return Report(
      invocation.json(),
      {{"node", node->name},
       {"servers", told->endpoint_count()},
       {"clients", told->caller_count()}},
      absl::StrCat(node->name, ": the basic services, ", told->endpoint_count(), " servers and ",
                   told->caller_count(),
                   " clients of applications take other keys; servers show them after 10 s"));
}

}  // namespace

void AddKeysRoll(CLI::App& keys, Invocation& invocation) {
  CLI::App& verb = *keys.add_subcommand("roll",
                                        "Has all that runs on a node take other TLS keys now, "
                                        "which it does twice a day by itself; no call fails")
                        ->fallthrough();
  verb.callback([&invocation] { invocation.run = [&invocation] { return Roll(invocation); }; });
}

}  // namespace radix::cli
