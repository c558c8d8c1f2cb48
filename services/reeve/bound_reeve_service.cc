#include "services/reeve/bound_reeve_service.h"

#include "services/confab/grpc_status.h"

namespace radix::reeve {

grpc::ServerUnaryReactor* BoundReeveService::RegisterEntry(
    grpc::CallbackServerContext* context, const muster::v1::RegisterRequest* request,
    muster::v1::RegisterResponse* response) {
  const muster::v1::Entry& entry = request->entry();
  const trust::Claim said{.horde = entry.horde().empty() ? "default" : entry.horde(),
                          .api = entry.api()};
  const absl::Status may = CheckClaim(door_, "entry.", said);
  return may.ok() ? node_.RegisterEntry(context, request, response) : confab::Answer(context, may);
}

}  // namespace radix::reeve
