#include "clients/cpp/guard.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "services/confab/dial.h"
#include "services/trust/pairing_codec.h"

namespace radix {
namespace {

using trust::v1::GuardRequest;
using trust::v1::GuardResponse;
using trust::v1::PairingService;

constexpr std::size_t kGuardQueueMax = 64;

}  // namespace

Guard::Guard(const confab::Node& node, trust::GuardedEndpoint served, OnLoss on_loss,
             OnRoll on_roll)
    : on_loss_(std::move(on_loss)),
      on_roll_(std::move(on_roll)),
      served_(std::move(served)),
      call_({.start =
                 [node](std::shared_ptr<void>& keep) {
                   std::shared_ptr<PairingService::Stub> stub =
                       PairingService::NewStub(confab::DialLocal(node, "reeve"));
                   auto stream = Stream::Create(kGuardQueueMax);
                   stub->async()->Guard(&stream->context(), stream.get());
                   keep = std::move(stub);
                   return stream;
                 },
             .on_begin = [this](Stream& stream) { HandleBegin(stream); },
             .on_message = [this](const GuardResponse& response) { HandleMessage(response); },
             .on_end = [this](const grpc::Status& status) { HandleEnd(status); }}) {}

// It goes on trying: rules change.
void Guard::HandleEnd(const grpc::Status& status) {
  const bool forbidden = status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
  if (forbidden) {
    auto loss = trust::Whitelist::Loss::kNone;
    {
      const std::lock_guard lock(admitted_->mutex);
      loss = admitted_->whitelist.Clear();
    }
    if (loss != trust::Whitelist::Loss::kNone) on_loss_(loss, find_caller());
  }
  const bool refused = forbidden || status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                       status.error_code() == grpc::StatusCode::ALREADY_EXISTS ||
                       status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  if (!refused || std::exchange(last_refusal_, status.error_message()) == status.error_message()) {
    return;
  }
  spdlog::error("nobody can call this service: {}", status.error_message());
}

Guard::FindCaller Guard::find_caller() const {
  return [admitted = admitted_](const KeyId& key) -> std::optional<trust::Caller> {
    const std::lock_guard lock(admitted->mutex);
    const trust::Caller* const found = admitted->whitelist.Find(key);
    if (found == nullptr) return std::nullopt;
    return *found;
  };
}

void Guard::HandleBegin(Stream& stream) {
  {
    const std::lock_guard lock(admitted_->mutex);
    admitted_->whitelist.HandleStream();
  }
  stream.Send(Introduction());
}

GuardRequest Guard::Introduction() {
  const std::lock_guard lock(mutex_);
  GuardRequest request;
  *request.mutable_endpoint() = trust::ToProto(served_);
  return request;
}

void Guard::SetKeys(const std::vector<const confab::TlsKey*>& keys) {
  {
    const std::lock_guard lock(mutex_);
    served_.keys.clear();
    served_.certificates.clear();
    for (const confab::TlsKey* key : keys) {
      served_.keys.push_back(key->id());
      served_.certificates.push_back(key->certificate_pem());
    }
  }
  call_.Send(Introduction());
}

void Guard::HandleMessage(const GuardResponse& response) {
  const auto news = trust::NewsFrom(response);
  if (!news.ok()) {
    spdlog::error("reeve: {}", std::string(news.status().message()));
    return;
  }
  auto loss = trust::Whitelist::Loss::kNone;
  {
    const std::lock_guard lock(admitted_->mutex);
    loss = admitted_->whitelist.Handle(*news);
  }
  if (loss != trust::Whitelist::Loss::kNone) on_loss_(loss, find_caller());
  if (response.roll()) on_roll_();
  if (response.number() == 0) return;
  GuardRequest taken;
  taken.set_taken(response.number());
  call_.Send(std::move(taken));
}

}  // namespace radix
