#include "services/trust/revoked_driver.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/trust/trust_codec.h"

namespace radix::trust {
namespace {

using proctor::v1::DeanService;
using proctor::v1::WatchDecisionsRequest;
using proctor::v1::WatchDecisionsResponse;

WatchDecisionsRequest Request() {
  WatchDecisionsRequest request;
  request.set_kind(Revoked::kKind);
  return request;
}

Revoked RevokedFrom(const WatchDecisionsResponse& message) {
  Revoked revoked;
  for (const proctor::v1::Decision& decision : message.decisions()) {
    const absl::Status added = AddDecision(decision.key(), revoked);
    if (!added.ok()) spdlog::error("dean: {}", std::string(added.message()));
  }
  return revoked;
}

}  // namespace

RevokedLink::RevokedLink(const confab::Node& node, std::function<void(Revoked, bool)> on_revoked)
    : subscription_(WatchLocal<DeanService>(node, "dean", &DeanService::Stub::async::WatchDecisions,
                                            Request()),
                    [on_revoked = std::move(on_revoked)](const WatchDecisionsResponse& message) {
                      on_revoked(RevokedFrom(message), message.revision() > 0);
                    }) {}

}  // namespace radix::trust
