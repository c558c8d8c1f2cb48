#include "services/reeve/bound_heartbeater_service.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/client_stream.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"

namespace radix::reeve {
namespace {

using heartbeater::v1::BeatRequest;
using heartbeater::v1::BeatResponse;
using heartbeater::v1::HeartbeaterService;

// Beats come once a second, and a few answers in a service's life.
constexpr std::size_t kBeatsMax = 16;
constexpr std::size_t kAnswersMax = 16;

using ToNode = ClientBidi<BeatRequest, BeatResponse>;

}  // namespace

// The two streams keep each other: each lets go of the other when it has ended, and has the other
// end then. That to the node may outlive this object by a moment.
grpc::ServerBidiReactor<BeatRequest, BeatResponse>* BoundHeartbeaterService::Beat(
    grpc::CallbackServerContext* /*context*/) {
  auto from = Stream::Create(kAnswersMax);
  if (!streams_.Add(from)) {
    from->Begin({.on_message = [](const BeatRequest&) {}, .on_half_close = nullptr, .on_done = {}});
    from->End({grpc::StatusCode::UNAVAILABLE, "too many streams, or shutting down; try again"});
    return from.get();
  }
  auto to = ToNode::Create(kBeatsMax);
  std::shared_ptr<HeartbeaterService::Stub> stub =
      HeartbeaterService::NewStub(confab::DialLocal(node_, "heartbeater"));
  stub->async()->Beat(&to->context(), to.get());
  auto behind = std::make_shared<std::atomic<bool>>(false);
  from->Begin({.on_message =
                   [this, from, to, behind,
                    allowed = std::make_shared<Allowed>()](const BeatRequest& beat) {
                     const absl::Status may = Check(beat, *allowed);
                     if (!may.ok()) {
                       from->End(confab::ToGrpc(may));
                       to->HalfClose();  // an end, not a break: it is over at once
                     } else if (!to->Send(beat)) {
                       // Unless it has ended by itself: then its own status is on the way.
                       behind->store(true);
                       to->Cancel();
                     }
                   },
               // When reeve ends the plugin goes on: to the heartbeater that is a break.
               .on_half_close =
                   [this, to] {
                     if (!ending_) to->HalfClose();
                   },
               .on_done =
                   [this, from, to] {
                     // What the plugin gives up is over at once, or one stream after another would
                     // leave an instance behind.
                     if (ending_) {
                       to->Cancel();
                     } else {
                       to->HalfClose();
                     }
                     streams_.Remove(from);
                   }});
  to->Begin({.on_message =
                 [from, to, behind, on_taken = handlers_.on_taken](const BeatResponse& answer) {
                   on_taken();
                   if (from->Send(answer)) return;
                   behind->store(true);
                   to->Cancel();
                 },
             .on_end =
                 [from, stub, behind](const grpc::Status& status) {
                   const bool ours =
                       behind->load() && status.error_code() == grpc::StatusCode::CANCELLED;
                   from->End(ours ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                                 "beats or answers are not read")
                                  : status);
                 }});
  return from.get();
}

absl::Status BoundHeartbeaterService::Check(const BeatRequest& beat, Allowed& allowed) const {
  const trust::Claim said{.horde = beat.horde().empty() ? "default" : beat.horde(),
                          .api = beat.api(),
                          .inst = beat.inst()};
  if (auto may = CheckClaim(door_, "", said); !may.ok()) {
    handlers_.on_refused(said);
    return may;
  }
  if (auto may = CheckAddress(door_, "net_id", beat.net_id(), node_.address); !may.ok()) return may;
  if (auto may = pairing_.MayBeOf(door_.who); !may.ok()) return may;
  // Asked once for all beats under the same rules. While none are known it may: nobody is let in.
  auto rules = rules_.rules();
  if (rules == nullptr || rules == allowed) return absl::OkStatus();
  const trust::Party api{door_.who.horde, door_.api};
  const trust::Verdict verdict = rules->Decide(trust::Verb::kServe, door_.who, api);
  if (!verdict.allowed) {
    return absl::PermissionDeniedError(absl::StrCat(door_.who.ToString(), " may not serve ",
                                                    api.ToString(), ": ", verdict.Reason()));
  }
  allowed = std::move(rules);
  return absl::OkStatus();
}

void BoundHeartbeaterService::EndStreams() {
  ending_ = true;
  streams_.EndAll({grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again"});
}

}  // namespace radix::reeve
