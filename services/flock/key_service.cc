#include "services/flock/key_service.h"

#include <utility>

#include "services/confab/grpc_status.h"
#include "services/flock/key_status_codec.h"

namespace radix::flock {
namespace {

const grpc::Status kTooMany(grpc::StatusCode::RESOURCE_EXHAUSTED,
                            "16 questions and orders about keys are under way here; try again");

}  // namespace

void KeyService::GetKeys(v1::GetKeysResponse* response, grpc::ServerUnaryReactor* reactor) {
  Ask({response, reactor, {}}, 0);
}

// Who has not acknowledged is asked for in parts: they may be thousands.
void KeyService::Ask(Look look, std::uint32_t first_slot) {
  grpc::ServerUnaryReactor* const reactor = look.reactor;
  const bool taken = driver_.OrderKeys(
      {KeyStep::kLook, 0, false, first_slot}, [this, look](const KeyReport& report) mutable {
        if (const absl::Status status = ToStatus(report, driver_.View()); !status.ok()) {
          look.reactor->Finish(confab::ToGrpc(status));
          return;
        }
        look.missing.insert(look.missing.end(), report.missing.begin(), report.missing.end());
        if (report.missing.size() == KeyReport::kMissingMax) {
          const std::uint32_t next_slot = report.missing.back() + 1;
          Ask(std::move(look), next_slot);
          return;
        }
        *look.response = ToProto(report, look.missing, driver_.View());
        look.response->set_transient(KeyName(driver_.transient_key()));
        look.reactor->Finish(grpc::Status::OK);
      });
  if (!taken) reactor->Finish(kTooMany);
}

void KeyService::Rotate(const v1::RotateSecondaryKeyRequest& request,
                        v1::RotateSecondaryKeyResponse* response,
                        grpc::ServerUnaryReactor* reactor) {
  const auto order = FromProto(request);
  if (!order.ok()) {
    reactor->Finish(confab::ToGrpc(order.status()));
    return;
  }
  const bool taken = driver_.OrderKeys(*order, [this, response, reactor](const KeyReport& report) {
    const Group group = driver_.View();
    if (report.epoch != 0) *response->mutable_secondary() = ToProto(report, group);
    reactor->Finish(confab::ToGrpc(ToStatus(report, group)));
  });
  if (!taken) reactor->Finish(kTooMany);
}

}  // namespace radix::flock
