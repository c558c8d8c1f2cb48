#include "clients/cli/decisions.h"

#include <algorithm>

#include "clients/cli/ask.h"
#include "clients/cli/retry.h"
#include "clients/cpp/blocking_stream.h"
#include "clients/cpp/checksum.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;

template <typename Response>
Decisions All(const Response& response) {
  return {response.decisions().begin(), response.decisions().end()};
}

absl::StatusOr<std::int64_t> Propose(const LabNode& node,
                                     const proctor::v1::ProposeRequest& request, Duration limit) {
  const auto reply = Retry(
      limit,
      [&](Duration remaining) {
        return Ask<DeanService>(node, "dean", &DeanService::Stub::async::Propose, request,
                                {.timeout = std::min<Duration>(remaining, 15s)});
      },
      // What was changed meanwhile stays so until somebody has looked at it.
      [](const absl::Status& status) { return IsPassing(status) && !absl::IsAborted(status); });
  if (!reply.ok()) return reply.status();
  return reply->revision();
}

}  // namespace

absl::StatusOr<Decisions> DecisionsAt(const LabNode& node, const std::string& kind) {
  confab::Node local;
  local.state = node.state;
  const auto stub = DeanService::NewStub(confab::DialLocal(local, "dean"));
  proctor::v1::WatchDecisionsRequest request;
  request.set_kind(kind);
  BlockingReader<proctor::v1::WatchDecisionsResponse> reader;
  stub->async()->WatchDecisions(&reader.context(), &request, &reader);
  reader.Begin();
  proctor::v1::WatchDecisionsResponse response;
  const bool told = reader.Next(response, kPatient.timeout);
  const grpc::Status end = reader.End();
  if (!told) return Explain(node, "dean", confab::FromGrpc(end));
  return All(response);
}

absl::StatusOr<Decisions> DecisionsOfLeader(const LabNode& node, const std::string& kind,
                                            Duration limit) {
  proctor::v1::ListDecisionsRequest request;
  request.set_kind(kind);
  const auto reply = Retry(limit, [&](Duration remaining) {
    return Ask<DeanService>(node, "dean", &DeanService::Stub::async::ListDecisions, request,
                            {.timeout = std::min<Duration>(remaining, 5s)});
  });
  if (!reply.ok()) return reply.status();
  return All(*reply);
}

absl::StatusOr<std::int64_t> Decide(const LabNode& node, const proctor::v1::Decision& decision,
                                    Duration limit) {
  proctor::v1::ProposeRequest request;
  *request.mutable_decision() = decision;
  return Propose(node, request, limit);
}

absl::StatusOr<std::int64_t> Decide(const LabNode& node, const proctor::v1::Decision& decision,
                                    const std::optional<std::string>& before, Duration limit) {
  proctor::v1::ProposeRequest request;
  *request.mutable_decision() = decision;
  const auto expected = before ? Sha256::Of(*before) : Checksum();
  request.set_expected_checksum(before ? std::string(expected.bytes.begin(), expected.bytes.end())
                                       : "");
  return Propose(node, request, limit);
}

}  // namespace radix::cli
