#include "clients/cpp/network.h"

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/registered_identity.h"
#include "services/trust/party.h"

namespace radix {
namespace {

std::string Variable(const char* name, const char* fallback) {
  const char* set = std::getenv(name);
  return set != nullptr && *set != '\0' ? set : fallback;
}

}  // namespace

absl::StatusOr<Network> Network::FromEnvironment() {
  auto node = confab::NodeFromEnvironment();
  if (!node.ok()) return node.status();
  const std::string horde = Variable("RADIX_HORDE", "default");
  auto self = trust::Party::Parse(absl::StrCat(horde, "/", Variable("RADIX_SERVICE", "operator")));
  if (!self.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("RADIX_HORDE and RADIX_SERVICE: ", std::string(self.status().message())));
  }
  Network network{*std::move(node)};
  network.node.identity = MakeRegisteredIdentity(network.node, *std::move(self));
  return network;
}

Network Network::At(std::filesystem::path state, const std::string& service) {
  Network network{confab::Node{.state = std::move(state)}};
  network.node.identity = MakeRegisteredIdentity(
      network.node, {.horde = Variable("RADIX_HORDE", "default"), .service = service});
  return network;
}

}  // namespace radix
