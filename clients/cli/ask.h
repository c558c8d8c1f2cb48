// One question to one of a node's services, over its Unix socket.

#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/lab.h"
#include "clients/cpp/call.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"

namespace radix::cli {

// What a call failed with, said so that a person knows what to do about it.
inline absl::Status Explain(const LabNode& node, const std::string& service,
                            const absl::Status& status) {
  const std::string said(status.message());
  const std::string socket = (node.state / (service + ".sock")).string();
  const std::string who = absl::StrCat(service, " of ", node.name);
  const bool unconnected = absl::IsUnavailable(status) && said.starts_with("failed to connect");
  if (absl::IsDeadlineExceeded(status) ||
      (unconnected && said.find("unix:" + socket) != std::string::npos)) {
    return absl::Status(status.code(),
                        absl::StrCat(who, " does not answer at ", socket,
                                     "; `radix lab status` shows which nodes run, --node asks ",
                                     "another (", said, ")"));
  }
  // It asked somebody else in its turn, for example a leader that has just died.
  if (unconnected) {
    return absl::Status(status.code(),
                        absl::StrCat(who, " does not reach whom it asks; try again (", said, ")"));
  }
  // A service says by itself what to do; a connection that breaks under a call does not.
  const bool advised = !absl::IsUnavailable(status) || said.find("again") != std::string::npos;
  return absl::Status(status.code(), absl::StrCat(who, ": ", said, advised ? "" : "; try again"));
}

// The same for a file that was to go to or come from `node`'s pastiche. What is wrong with the file
// at `path` itself is not pastiche's word.
inline absl::Status ExplainFile(const LabNode& node, const std::string& path,
                                const absl::Status& status) {
  const bool is_own = std::string(status.message()).starts_with(path + ": ");
  return is_own ? status : Explain(node, "pastiche", status);
}

// A living service of a machine whose processors all have work may need seconds to answer; only
// time tells it from one that hangs.
constexpr CallOptions kPatient = {.timeout = 10s};

// Calls `method`, as in Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::Lookup, r).
template <typename Service, typename Async, typename Request, typename Response>
absl::StatusOr<Response> Ask(const LabNode& node, const std::string& service,
                             void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                   std::function<void(grpc::Status)>),
                             const std::type_identity_t<Request>& request,
                             CallOptions options = kPatient) {
  confab::Node local;
  local.state = node.state;
  const auto stub = Service::NewStub(confab::DialLocal(local, service));
  Response response;
  const grpc::Status status = Call(*stub->async(), method, request, response, options);
  if (!status.ok()) return Explain(node, service, confab::FromGrpc(status));
  return response;
}

}  // namespace radix::cli
