// A server-streaming call that is made again, with back-off, whenever it ends.

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "clients/cpp/client_stream.h"
#include "clients/cpp/lasting_call.h"
#include "services/confab/dial.h"
#include "services/confab/node.h"

namespace radix {

// Follows a Watch for as long as it exists:
//
//   Subscription<WatchGroupResponse> group(
//       WatchLocal<FlockService>(node, "flock", &FlockService::Stub::async::WatchGroup),
//       [this](const WatchGroupResponse& response) { ... });
//
// The watched service sends its state first, so nothing is missed. Otherwise as LastingCall.
template <typename Response>
class Subscription {
 public:
  // Makes the call; what it returns is kept until the call has ended.
  using Start = std::function<std::shared_ptr<void>(grpc::ClientContext& context,
                                                    grpc::ClientReadReactor<Response>* reactor)>;

  Subscription(Start start, std::function<void(const Response&)> on_message,
               std::function<void(const grpc::Status&)> on_end = nullptr)
      : call_({.start =
                   [start = std::move(start)](std::shared_ptr<void>& keep) {
                     auto stream = ClientStream<Response>::Create();
                     keep = start(stream->context(), stream.get());
                     return stream;
                   },
               .on_begin = nullptr,
               .on_message = std::move(on_message),
               .on_end = std::move(on_end)}) {}

 private:
  LastingCall<ClientStream<Response>, Response> call_;
};

// What a Subscription to `service` of `node` starts with, for example "flock".
template <typename Service, typename Request, typename Response>
typename Subscription<Response>::Start WatchLocal(
    confab::Node node, std::string service,
    void (Service::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                         grpc::ClientReadReactor<Response>*),
    Request request = Request()) {
  return [=](grpc::ClientContext& context, grpc::ClientReadReactor<Response>* reactor) {
    std::shared_ptr<typename Service::Stub> stub =
        Service::NewStub(confab::DialLocal(node, service));
    (stub->async()->*method)(&context, &request, reactor);
    return stub;
  };
}

}  // namespace radix
