#include "services/reeve/bound_reeve_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/grpc_status.h"
#include "services/registry/pulled_stream.h"

namespace radix::reeve {

grpc::ServerWriteReactor<v1::WatchResponse>* BoundReeveService::Watch(
    grpc::CallbackServerContext* context, const v1::WatchRequest* request) {
  auto own = watches_.Take();
  auto of_all = own ? all_.Take() : nullptr;
  if (of_all) {
    return node_.WatchHolding(
        context, request,
        std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
            std::move(own), std::move(of_all)));
  }
  const auto stream = registry::PulledStream<v1::WatchResponse>::Create();
  stream->End(
      {grpc::StatusCode::RESOURCE_EXHAUSTED,
       absl::StrCat(own ? "the plugins of this node have" : "the plugin " + door_.id + " has",
                    " too many watches at once")});
  return stream.get();
}

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
