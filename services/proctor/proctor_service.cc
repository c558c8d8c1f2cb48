#include "services/proctor/proctor_service.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/calling_node.h"
#include "services/confab/clock.h"
#include "services/confab/grpc_status.h"
#include "services/confab/server_stream.h"
#include "services/proctor/apply_driver.h"
#include "services/proctor/document_codec.h"
#include "services/proctor/proctor_codec.h"

namespace radix::proctor {
namespace {

using Stream = confab::ServerBidi<v1::FollowRequest, v1::FollowResponse>;

constexpr Duration kApplyLimit = 60s;    // files included
constexpr Duration kAnswerTime = 500ms;  // for an answer to reach the caller in time, through dean
constexpr std::size_t kFollowQueueMax = 64;  // messages for one dean

// Until when to work on it: a little less than the caller waits, who is then told what was missing;
// at most kApplyLimit.
Instant DeadlineOf(const grpc::CallbackServerContext& context) {
  const Duration left = std::min<Duration>(context.deadline() - confab::WallNow(), kApplyLimit);
  return confab::Now() + left - std::min<Duration>(left / 10, kAnswerTime);
}

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(confab::ToGrpc(status));
  return reactor;
}

// One dean's stream, from its first message on.
class DeanLink : public std::enable_shared_from_this<DeanLink> {
 public:
  DeanLink(std::shared_ptr<ProctorDriver> driver, std::weak_ptr<Stream> stream,
           absl::StatusOr<std::optional<std::uint64_t>> proved)
      : driver_(std::move(driver)), stream_(std::move(stream)), proved_(std::move(proved)) {}

  void Handle(const v1::FollowRequest& request) {
    if (ended_) return;
    if (id_ == 0) return Begin(request);
    switch (request.kind_case()) {
      case v1::FollowRequest::kPlugins:
        return driver_->HandlePlugins(id_, request.plugins());
      case v1::FollowRequest::kAck:
        return driver_->HandleAck(id_, request.ack());
      default:
        return End(absl::InvalidArgumentError("kind: expected plugins or ack behind the hello"));
    }
  }

  void Done() {
    if (id_ != 0) driver_->Disconnect(id_);
  }

 private:
  void Begin(const v1::FollowRequest& request) {
    if (!request.has_hello()) {
      return End(absl::InvalidArgumentError("kind: the first message must be a hello"));
    }
    if (!proved_.ok()) return End(proved_.status());
    auto hello = ToHello(request.hello());
    if (!hello.ok()) return End(hello.status());
    hello->proved = *proved_;
    const auto id =
        driver_->Connect(*hello, {.send =
                                      [stream = stream_](const v1::FollowResponse& response) {
                                        const auto open = stream.lock();
                                        return open == nullptr || open->Send(response);
                                      },
                                  .end =
                                      [stream = stream_](const grpc::Status& status) {
                                        if (const auto open = stream.lock()) open->End(status);
                                      }});
    if (!id.ok()) return End(id.status());
    id_ = *id;
  }

  void End(const absl::Status& status) {
    ended_ = true;
    if (const auto open = stream_.lock()) open->End(confab::ToGrpc(status));
  }

  const std::shared_ptr<ProctorDriver> driver_;
  const std::weak_ptr<Stream> stream_;
  const absl::StatusOr<std::optional<std::uint64_t>> proved_;  // whose node it is
  ProctorDriver::LinkId id_ = 0;                               // 0 before the hello
  bool ended_ = false;
};

}  // namespace

grpc::ServerUnaryReactor* ProctorServiceImpl::Apply(grpc::CallbackServerContext* context,
                                                    const v1::ApplyRequest* request,
                                                    v1::ApplyResponse* response) {
  absl::Status status =
      CheckUserManifest(ToManifest(request->manifest()), driver_->charter().at_most);
  if (status.ok()) status = driver_->CheckLeading();
  if (!status.ok()) return Finished(context, status);
  return ApplyCall::Begin(node_, driver_, DeadlineOf(*context), request, response);
}

grpc::ServerUnaryReactor* ProctorServiceImpl::GetStatus(grpc::CallbackServerContext* context,
                                                        const v1::GetStatusRequest* request,
                                                        v1::GetStatusResponse* response) {
  auto status = driver_->Status(request->horde());
  if (status.ok()) *response = *std::move(status);
  return Finished(context, status.status());
}

grpc::ServerUnaryReactor* ProctorServiceImpl::Propose(grpc::CallbackServerContext* context,
                                                      const v1::ProposeRequest* request,
                                                      v1::ProposeResponse* response) {
  if (absl::Status status = CheckDecision(request->decision()); !status.ok()) {
    return Finished(context, status);
  }
  auto* reactor = context->DefaultReactor();
  driver_->Make(
      {.edit = [request = *request](v1::DocumentBody& body) { return Edit(body, request); },
       .deadline = DeadlineOf(*context),
       .done =
           [response, reactor](const absl::StatusOr<std::int64_t>& revision) {
             if (revision.ok()) response->set_revision(*revision);
             reactor->Finish(confab::ToGrpc(revision.status()));
           }});
  return reactor;
}

grpc::ServerUnaryReactor* ProctorServiceImpl::ListDecisions(grpc::CallbackServerContext* context,
                                                            const v1::ListDecisionsRequest* request,
                                                            v1::ListDecisionsResponse* response) {
  if (request->kind().empty()) {
    return Finished(context, absl::InvalidArgumentError("kind: must be set"));
  }
  auto decisions = driver_->List(request->kind());
  if (decisions.ok()) *response = *std::move(decisions);
  return Finished(context, decisions.status());
}

grpc::ServerBidiReactor<v1::FollowRequest, v1::FollowResponse>* ProctorServiceImpl::Follow(
    grpc::CallbackServerContext* context) {
  auto stream = Stream::Create(kFollowQueueMax);
  const auto proved = confab::CallingNode(*context, driver_->charter().bloc, "dean");
  auto link = std::make_shared<DeanLink>(driver_, stream, proved);
  stream->Begin({.on_message = [link](const v1::FollowRequest& request) { link->Handle(request); },
                 .on_half_close = nullptr,
                 .on_done = [link] { link->Done(); }});
  if (!proved.ok()) stream->End(confab::ToGrpc(proved.status()));
  return stream.get();
}

}  // namespace radix::proctor
