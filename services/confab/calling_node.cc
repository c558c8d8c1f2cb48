#include "services/confab/calling_node.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/caller.h"
#include "services/confab/fingerprint.h"
#include "services/confab/node_key.h"

namespace radix::confab {

absl::StatusOr<std::optional<std::uint64_t>> CallingNode(const grpc::ServerContextBase& context,
                                                         const std::string& flock_id,
                                                         const std::string& service) {
  const auto security = context.auth_context()->FindPropertyValues("transport_security_type");
  if (security.empty() || security.front() == "insecure") return std::nullopt;
  const auto shown = ShownBy(context);
  const auto attested =
      shown ? ReadAttestation(shown->attestation, flock_id, shown->key) : std::nullopt;
  if (!attested || attested->service != service) {
    return absl::PermissionDeniedError(
        absl::StrCat("only the ", service, "s of the group's nodes may ask this, and you are ",
                     attested ? attested->service : "none of its services"));
  }
  return FingerprintOf(attested->node);
}

}  // namespace radix::confab
