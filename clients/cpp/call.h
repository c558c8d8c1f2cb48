// One unary call, waited for, with a deadline.
//
// It goes through the callback API: a blocking stub whose first connection was refused may never
// connect again (grpc issue 28866).

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <future>

#include "services/confab/clock.h"
#include "services/confab/time.h"

namespace radix {

// How a call behaves.
struct CallOptions {
  // The longest that it may take, all in all.
  Duration timeout = 5s;
  // Whether to wait, within the timeout, for a server that does not listen yet, instead of failing
  // with UNAVAILABLE at once.
  bool wait_for_ready = false;
};

// Calls `method` of `stub->async()` and waits for the answer:
//
//   auto stub = ReeveService::NewStub(channel);
//   grpc::Status status = Call(*stub->async(), &ReeveService::Stub::async::Lookup, request, reply);
//
// Must not be called from one of gRPC's own threads (a reaction).
template <typename Async, typename Request, typename Response>
grpc::Status Call(Async& stub,
                  void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                        std::function<void(grpc::Status)>),
                  const Request& request, Response& response, CallOptions options = {}) {
  grpc::ClientContext context;
  context.set_deadline(confab::WallDeadline(options.timeout));
  context.set_wait_for_ready(options.wait_for_ready);
  std::promise<grpc::Status> done;
  (stub.*method)(&context, &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

}  // namespace radix
