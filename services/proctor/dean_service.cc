#include "services/proctor/dean_service.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "services/confab/grpc_status.h"
#include "services/confab/time.h"

namespace radix::proctor {
namespace {

constexpr auto kLimit = std::chrono::seconds(60);

// One call carried on; lives until its callback returned.
struct Carried {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ProctorService::Stub> stub;
  grpc::ClientContext context;
};

// Calls `method` of the proctor with the same request, and answers with what it answered.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Carry(
    DeanDriver& driver, grpc::CallbackServerContext* context, const Request* request,
    Response* response,
    void (v1::ProctorService::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                    std::function<void(grpc::Status)>)) {
  auto* reactor = context->DefaultReactor();
  auto channel = driver.Proctor();
  if (!channel.ok()) {
    reactor->Finish(confab::ToGrpc(channel.status()));
    return reactor;
  }
  auto carried = std::make_shared<Carried>();
  carried->channel = *std::move(channel);
  carried->stub = v1::ProctorService::NewStub(carried->channel);
  carried->context.set_deadline(
      std::min(context->deadline(), std::chrono::system_clock::now() + kLimit));
  (carried->stub->async()->*method)(
      &carried->context, request, response,
      [carried, reactor](const grpc::Status& status) { reactor->Finish(status); });
  return reactor;
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

grpc::ServerUnaryReactor* DeanServiceImpl::GetNode(grpc::CallbackServerContext* context,
                                                   const v1::GetNodeRequest* /*request*/,
                                                   v1::GetNodeResponse* response) {
  *response = driver_->NodeState();
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace radix::proctor
