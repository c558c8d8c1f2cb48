// One question to one of a node's services, over its Unix socket.

#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/lab.h"
#include "clients/cpp/call.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"

namespace radix::cli {

// The same, said so that a person knows what to do about it.
inline absl::Status Explain(const LabNode& node, const std::string& service,
                            const absl::Status& status) {
  const std::string said(status.message());
  const bool unreached = said.find("connect") != std::string::npos || said.empty();
  if (absl::IsDeadlineExceeded(status) || (absl::IsUnavailable(status) && unreached)) {
    return absl::Status(status.code(),
                        absl::StrCat(service, " of ", node.name, " does not answer at ",
                                     (node.state / (service + ".sock")).string(),
                                     "; `radix lab status` shows which nodes run",
                                     said.empty() ? "" : " (", said, said.empty() ? "" : ")"));
  }
  return absl::Status(status.code(), absl::StrCat(service, " of ", node.name, ": ", said));
}

// Calls `method`; when nobody answers at once, because the service is just being started again or
// the machine is too busy to accept in time, once more within a second. As in
// Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::Lookup, r).
template <typename Service, typename Async, typename Request, typename Response>
absl::StatusOr<Response> Ask(const LabNode& node, const std::string& service,
                             void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                   std::function<void(grpc::Status)>),
                             const std::type_identity_t<Request>& request,
                             CallOptions options = {}) {
  confab::Node local;
  local.state = node.state;
  const auto stub = Service::NewStub(confab::DialLocal(local, service));
  Response response;
  grpc::Status status = Call(*stub->async(), method, request, response, options);
  const bool unreached = status.error_message().find("connect") != std::string::npos;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && unreached) {
    const grpc::Status again =
        Call(*stub->async(), method, request, response,
             {.timeout = std::min<Duration>(options.timeout, 1s), .wait_for_ready = true});
    // Still nobody: what the first try said is the reason.
    if (again.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) status = again;
  }
  if (!status.ok()) return Explain(node, service, confab::FromGrpc(status));
  return response;
}

}  // namespace radix::cli
