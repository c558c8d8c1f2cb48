#include "services/proctor/dean_service.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/grpc_status.h"
#include "services/confab/time.h"
#include "services/proctor/document_codec.h"

namespace radix::proctor {
namespace {

constexpr auto kLimit = std::chrono::seconds(60);
constexpr int kMoreKindsMax = 8;

// One call carried on; lives until its callback returned.
struct Carried {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ProctorService::Stub> stub;
  grpc::ClientContext context;
};

// Its caller's side. Who goes away gives up what was asked for, so the proctor is told.
class Caller final : public grpc::ServerUnaryReactor {
 public:
  explicit Caller(std::shared_ptr<Carried> carried) : carried_(std::move(carried)) {}

 private:
  void OnCancel() override { carried_->context.TryCancel(); }
  void OnDone() override { delete this; }

  const std::shared_ptr<Carried> carried_;
};

// Calls `method` of the proctor with the same request, and answers with what it answered.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Carry(
    DeanDriver& driver, grpc::CallbackServerContext* context, const Request* request,
    Response* response,
    void (v1::ProctorService::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                    std::function<void(grpc::Status)>)) {
  auto channel = driver.Proctor();
  if (!channel.ok()) return confab::Answer(context, channel.status());
  auto carried = std::make_shared<Carried>();
  carried->channel = *std::move(channel);
  carried->stub = v1::ProctorService::NewStub(carried->channel);
  carried->context.set_deadline(std::min(context->deadline(), confab::WallDeadline(kLimit)));
  auto* const caller = new Caller(carried);  // deletes itself
  (carried->stub->async()->*method)(
      &carried->context, request, response,
      [carried, caller](const grpc::Status& status) { caller->Finish(status); });
  return caller;
}

absl::StatusOr<std::set<std::string>> KindsOf(const v1::WatchDecisionsRequest& request) {
  if (request.kind().empty()) return absl::InvalidArgumentError("kind: must be set");
  if (request.more_kinds_size() > kMoreKindsMax) {
    return absl::InvalidArgumentError(absl::StrCat("more_kinds: must be at most ", kMoreKindsMax));
  }
  std::set<std::string> kinds = {request.kind()};
  for (const std::string& kind : request.more_kinds()) {
    if (kind.empty()) return absl::InvalidArgumentError("more_kinds: must not be empty");
    kinds.insert(kind);
  }
  return kinds;
}

}  // namespace

grpc::ServerUnaryReactor* DeanServiceImpl::Apply(grpc::CallbackServerContext* context,
                                                 const v1::ApplyRequest* request,
                                                 v1::ApplyResponse* response) {
  return Carry(*driver_, context, request, response, &v1::ProctorService::Stub::async::Apply);
}

grpc::ServerUnaryReactor* DeanServiceImpl::GetStatus(grpc::CallbackServerContext* context,
                                                     const v1::GetStatusRequest* request,
                                                     v1::GetStatusResponse* response) {
  return Carry(*driver_, context, request, response, &v1::ProctorService::Stub::async::GetStatus);
}

DeanServiceImpl::DeanServiceImpl(std::shared_ptr<DeanDriver> driver) : driver_(std::move(driver)) {
  driver_->OnDecisions([this] { watchers_.WakeAll(); });
}

DeanServiceImpl::~DeanServiceImpl() { driver_->OnDecisions(nullptr); }

grpc::ServerUnaryReactor* DeanServiceImpl::Propose(grpc::CallbackServerContext* context,
                                                   const v1::ProposeRequest* request,
                                                   v1::ProposeResponse* response) {
  if (absl::Status status = CheckOperatorsDecision(request->decision()); !status.ok()) {
    return confab::Answer(context, status);
  }
  return Carry(*driver_, context, request, response, &v1::ProctorService::Stub::async::Propose);
}

grpc::ServerUnaryReactor* DeanServiceImpl::ListDecisions(grpc::CallbackServerContext* context,
                                                         const v1::ListDecisionsRequest* request,
                                                         v1::ListDecisionsResponse* response) {
  return Carry(*driver_, context, request, response,
               &v1::ProctorService::Stub::async::ListDecisions);
}

grpc::ServerWriteReactor<v1::WatchDecisionsResponse>* DeanServiceImpl::WatchDecisions(
    grpc::CallbackServerContext* /*context*/, const v1::WatchDecisionsRequest* request) {
  auto stream = WatchStream::Create();
  const auto kinds = KindsOf(*request);
  if (!kinds.ok()) {
    stream->End(confab::ToGrpc(kinds.status()));
    return stream.get();
  }
  if (!watchers_.Add(stream)) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 64 watchers already"});
    return stream.get();
  }
  // What was sent last, as it was sent; nothing yet.
  const auto told = std::make_shared<std::optional<std::string>>();
  stream->Begin(
      [this, kinds = *kinds, told](v1::WatchDecisionsResponse& response) {
        auto decisions = driver_->DecisionsOf(kinds);
        if (!decisions) return false;
        for (v1::Decision& each : decisions->all) *response.add_decisions() = std::move(each);
        std::string text = response.SerializeAsString();
        text.push_back(decisions->revision > 0 ? '+' : '0');
        text.push_back(decisions->follows ? 'f' : '-');
        if (*told == text) return false;
        *told = std::move(text);
        response.set_revision(decisions->revision);
        response.set_follows(decisions->follows);
        return true;
      },
      [this, stream] { watchers_.Remove(stream); });
  return stream.get();
}

void DeanServiceImpl::Close() {
  watchers_.EndAll({grpc::StatusCode::UNAVAILABLE, "dean is shutting down; connect again"});
  driver_->Close();
}

grpc::ServerUnaryReactor* DeanServiceImpl::GetNode(grpc::CallbackServerContext* context,
                                                   const v1::GetNodeRequest* /*request*/,
                                                   v1::GetNodeResponse* response) {
  *response = driver_->NodeState();
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace radix::proctor
