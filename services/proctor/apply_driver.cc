#include "services/proctor/apply_driver.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"
#include "services/proctor/document_codec.h"
#include "services/proctor/files_driver.h"
#include "services/proctor/proctor_codec.h"

namespace radix::proctor {
namespace {

constexpr Duration kMissingLimit = 5s;  // for a node that has just started to become known

std::set<std::string> FilesOfOne(const v1::Manifest& manifest) {
  v1::DocumentBody body;
  *body.add_manifests() = manifest;
  return FilesOf(body);
}

// The place in the manifest that names the file whose checksum `said` holds.
std::string PlaceOfFile(const v1::Manifest& manifest, std::string_view said) {
  for (int i = 0; i < manifest.services_size(); ++i) {
    if (said.find(manifest.services(i).file()) != std::string_view::npos) {
      return PlaceOf(manifest, i, "file");
    }
  }
  return "file: ";
}

}  // namespace

ApplyCall::ApplyCall(confab::Node node, std::shared_ptr<ProctorDriver> driver, Instant deadline,
                     const v1::ApplyRequest& request, v1::ApplyResponse* response)
    : node_(std::move(node)),
      driver_(std::move(driver)),
      deadline_(deadline),
      missing_until_(std::min(deadline, confab::Now() + kMissingLimit)),
      manifest_(request.manifest()),
      response_(response),
      random_(confab::RandomNumber()) {}

grpc::ServerUnaryReactor* ApplyCall::Begin(confab::Node node, std::shared_ptr<ProctorDriver> driver,
                                           Instant deadline, const v1::ApplyRequest* request,
                                           v1::ApplyResponse* response) {
  auto call =
      std::make_shared<ApplyCall>(std::move(node), std::move(driver), deadline, *request, response);
  call->self_ = call;
  call->Pull();
  return call.get();
}

void ApplyCall::Pull() {
  PullFiles(node_, FilesOfOne(manifest_), deadline_ - confab::Now(),
            [self = shared_from_this()](const absl::Status& pulled) { self->Take(pulled); });
}

void ApplyCall::Take(const absl::Status& pulled) {
  {
    const std::lock_guard lock(mutex_);
    alarm_ = nullptr;  // which holds what it calls
    if (over_) return;
  }
  if (pulled.ok()) return Make();
  std::string said(pulled.message());
  said = absl::StrCat(PlaceOfFile(manifest_, said), said);
  if (!absl::IsNotFound(pulled)) return End(absl::UnavailableError(said), nullptr);
  const Duration wait = backoff_.Next(random_);
  if (confab::Now() + wait >= missing_until_) {
    return End(absl::InvalidArgumentError(absl::StrCat(
                   said, "; `radix put` it first, or try again if its node has just started")),
               nullptr);
  }
  const std::lock_guard lock(mutex_);
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(confab::WallDeadline(wait), [self = shared_from_this()](bool) { self->Pull(); });
}

void ApplyCall::Make() {
  driver_->Make(
      {.edit = [manifest = manifest_](v1::DocumentBody& body) { return Edit(body, manifest); },
       .deadline = deadline_,
       .done =
           [self = shared_from_this()](const absl::StatusOr<std::int64_t>& revision) {
             self->End(revision.status(), [&](v1::ApplyResponse& response) {
               if (!revision.ok()) return;
               response.set_epoch(self->driver_->epoch());
               response.set_revision(*revision);
             });
           }});
}

void ApplyCall::End(const absl::Status& status,
                    const std::function<void(v1::ApplyResponse&)>& fill) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(over_, true)) return;
  if (fill) fill(*response_);
  Finish(confab::ToGrpc(status));
}

void ApplyCall::OnCancel() { End(absl::CancelledError("the caller went away"), nullptr); }

void ApplyCall::OnDone() { const std::shared_ptr<ApplyCall> last = std::move(self_); }

}  // namespace radix::proctor
