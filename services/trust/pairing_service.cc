#include "services/trust/pairing_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/refusals.h"
#include "services/confab/caller.h"
#include "services/confab/calling_node.h"
#include "services/confab/clock.h"
#include "services/confab/grpc_status.h"
#include "services/trust/pairing_codec.h"
#include "services/trust/trust_codec.h"

namespace radix::trust {
namespace {

constexpr std::size_t kGuardStreamsMax = 2 * EndpointTable::kGuardsMax;
constexpr std::size_t kCallersMax = 4096;
constexpr std::size_t kOriginsMax = 16384;

const grpc::Status kTooMany(grpc::StatusCode::RESOURCE_EXHAUSTED,
                            "too many streams, or shutting down; try again");

// Runs `check`, if there is one, and `handle` on each message, and ends the stream with what these
// refuse.
template <typename Stream, typename Request>
auto EndingWith(const std::shared_ptr<Stream>& stream,
                std::function<absl::Status(const Request&)> handle,
                std::function<absl::Status(const Request&)> check = nullptr) {
  return [stream, handle = std::move(handle), check = std::move(check)](const Request& request) {
    absl::Status status = check ? check(request) : absl::OkStatus();
    if (status.ok()) status = handle(request);
    if (!status.ok()) stream->End(confab::ToGrpc(status));
  };
}

absl::Status MayCome(const grpc::CallbackServerContext& context, const absl::Status& admitted) {
  if (confab::CameThroughUnixSocket(context)) return admitted;
  return absl::PermissionDeniedError("only this node's own processes may ask");
}

// For whoever runs the server: the caller is told as well.
void SayForbidden(std::uint64_t origin, const Admission& admission) {
  SayRefused("a caller", absl::PermissionDeniedError(absl::StrCat(
                             "key ", admission.key.ToString().substr(0, 16),
                             " of a process of node ", absl::Hex(origin, absl::kZeroPad16), ": ",
                             std::string(admission.status.message()))))
      .IgnoreError();
}

}  // namespace

PairingServiceImpl::PairingServiceImpl(const confab::Node& node, std::uint16_t reeve_port,
                                       std::uint64_t own)
    : node_(node),
      own_(own),
      pairs_(confab::Now()),
      endpoints_(confab::Now(), own),
      guard_streams_(kGuardStreamsMax),
      caller_streams_(kCallersMax),
      origin_streams_(kOriginsMax),
      links_(node, reeve_port, LinkHandlers()),
      timer_([this](Instant now) { return Tick(now); }) {}

PairingServiceImpl::~PairingServiceImpl() = default;

grpc::ServerBidiReactor<v1::GuardRequest, v1::GuardResponse>* PairingServiceImpl::Guard(
    grpc::CallbackServerContext* context) {
  return GuardIf(context, absl::OkStatus(), nullptr);
}

grpc::ServerBidiReactor<v1::GuardRequest, v1::GuardResponse>* PairingServiceImpl::GuardIf(
    grpc::CallbackServerContext* context, const absl::Status& admitted,
    Check<v1::GuardRequest> check) {
  auto stream = GuardStream::Create();
  const absl::Status may = MayCome(*context, admitted);
  const bool added = may.ok() && guard_streams_.Add(stream);
  StreamId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_stream_;
  }
  stream->Begin([this, id](v1::GuardResponse& response) { return NextForGuard(id, response); },
                {.on_message = EndingWith<GuardStream, v1::GuardRequest>(
                     stream, [this, id](const auto& request) { return HandleGuard(id, request); },
                     std::move(check)),
                 .on_done = [this, stream, id] {
                   guard_streams_.Remove(stream);
                   HandleGuardDone(id);
                 }});
  if (added) {
    // Once it has its source, and before it is returned: no message comes earlier.
    const std::lock_guard lock(mutex_);
    guards_[id] = {.stream = stream};
  } else {
    stream->End(may.ok() ? kTooMany : confab::ToGrpc(may));
  }
  return stream.get();
}

absl::Status PairingServiceImpl::HandleGuard(StreamId id, const v1::GuardRequest& request) {
  std::shared_ptr<GuardStream> superseded;
  {
    const std::lock_guard lock(mutex_);
    if (!guards_.contains(id)) return absl::AbortedError("the endpoint opened a newer stream");
    if (request.has_endpoint()) {
      const auto served = EndpointFrom(request.endpoint());
      if (!served.ok()) return served.status();
      if (served->endpoint.ip != node_.address) {
        return absl::InvalidArgumentError("endpoint.net_id: is not at this node's address");
      }
      const auto taken = endpoints_.HandleEndpoint(id, *served);
      if (!taken.ok()) return SayRefused("an endpoint", taken.status());
      if (*taken && guards_.contains(**taken)) {
        superseded = guards_.at(**taken).stream;
        guards_.erase(**taken);
      }
    } else {
      endpoints_.HandleTaken(
          id, static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.taken())));
    }
  }
  if (superseded != nullptr) {
    superseded->End({grpc::StatusCode::ABORTED, "the endpoint opened a newer stream"});
  }
  Spread();
  return absl::OkStatus();
}

bool PairingServiceImpl::NextForGuard(StreamId id, v1::GuardResponse& response) {
  const std::lock_guard lock(mutex_);
  const auto guard = guards_.find(id);
  if (guard == guards_.end()) return false;
  const auto update = endpoints_.UpdateFor(id);
  // Until it is known, the endpoint goes by what it heard before.
  const bool revoked = revoked_ && guard->second.revoked_revision != revoked_revision_;
  const bool roll = std::exchange(guard->second.roll, false);
  if (!update && !revoked && !roll) return false;
  if (update) response = ToProto(*update);
  if (revoked) *response.mutable_revoked() = ToProto(*revoked_);
  response.set_roll(roll);
  if (revoked) guard->second.revoked_revision = revoked_revision_;
  return true;
}

void PairingServiceImpl::HandleGuardDone(StreamId id) {
  {
    const std::lock_guard lock(mutex_);
    guards_.erase(id);
    if (ending_) return;
    endpoints_.HandleGuardEnd(id);
  }
  Spread();
}

grpc::ServerBidiReactor<v1::IntroduceRequest, v1::IntroduceResponse>* PairingServiceImpl::Introduce(
    grpc::CallbackServerContext* context) {
  return IntroduceIf(context, absl::OkStatus(), nullptr);
}

grpc::ServerBidiReactor<v1::IntroduceRequest, v1::IntroduceResponse>*
PairingServiceImpl::IntroduceIf(grpc::CallbackServerContext* context, const absl::Status& admitted,
                                Check<v1::IntroduceRequest> check) {
  auto stream = IntroduceStream::Create();
  const absl::Status may = MayCome(*context, admitted);
  const bool added = may.ok() && caller_streams_.Add(stream);
  StreamId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_stream_;
  }
  stream->Begin(
      [this, id](v1::IntroduceResponse& response) { return NextForCaller(id, response); },
      {.on_message = EndingWith<IntroduceStream, v1::IntroduceRequest>(
           stream, [this, id](const auto& request) { return HandleIntroduce(id, request); },
           std::move(check)),
       .on_done = [this, stream, id] {
         caller_streams_.Remove(stream);
         HandleCallerDone(id);
       }});
  if (added) {
    const std::lock_guard lock(mutex_);
    callers_[id] = {.stream = stream};
  } else {
    stream->End(may.ok() ? kTooMany : confab::ToGrpc(may));
  }
  return stream.get();
}

absl::Status PairingServiceImpl::HandleIntroduce(StreamId id, const v1::IntroduceRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    if (!callers_.contains(id)) return absl::AbortedError("the stream has ended");
    for (int i = 0; i < request.pairs_size(); ++i) {
      const auto pair = PairFrom(absl::StrCat("pairs[", i, "]"), request.pairs(i));
      if (!pair.ok()) return pair.status();
      pairs_.HandlePair(id, *pair);
    }
    for (const std::string& text : request.gone()) {
      const auto key = KeyFrom("gone", text);
      if (!key.ok()) return key.status();
      pairs_.HandleGone(id, *key);
    }
  }
  Spread();
  return absl::OkStatus();
}

bool PairingServiceImpl::NextForCaller(StreamId id, v1::IntroduceResponse& response) {
  const std::lock_guard lock(mutex_);
  const auto caller = callers_.find(id);
  if (caller == callers_.end()) return false;
  for (const Admission& each : pairs_.AdmissionsFor(id)) {
    *response.add_admissions() = ToProto(each);
  }
  response.set_roll(std::exchange(caller->second.roll, false));
  return !response.admissions().empty() || response.roll();
}

void PairingServiceImpl::HandleCallerDone(StreamId id) {
  {
    const std::lock_guard lock(mutex_);
    callers_.erase(id);
    if (ending_) return;  // else all would be told that its callers are gone
    pairs_.HandleCallerEnd(id);
  }
  Spread();
}

absl::StatusOr<std::uint64_t> PairingServiceImpl::OriginOf(
    const grpc::CallbackServerContext& context) const {
  const auto node = confab::CallingNode(context, node_.flock_id, "reeve");
  if (!node.ok()) return node.status();
  if (!*node) return absl::PermissionDeniedError("only reeves of other nodes may ask");
  return **node;
}

grpc::ServerBidiReactor<v1::AnnounceRequest, v1::AnnounceResponse>* PairingServiceImpl::Announce(
    grpc::CallbackServerContext* context) {
  auto stream = AnnounceStream::Create();
  const auto origin = OriginOf(*context);
  if (!origin.ok() || !origin_streams_.Add(stream)) {
    stream->Begin([](auto&) { return false; }, {.on_message = [](auto&) {}, .on_done = nullptr});
    stream->End(origin.ok() ? kTooMany : confab::ToGrpc(origin.status()));
    return stream.get();
  }
  StreamId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_stream_;
  }
  stream->Begin(
      [this, id, origin = *origin](v1::AnnounceResponse& response) {
        return NextForOrigin(origin, id, response);
      },
      {.on_message = EndingWith<AnnounceStream, v1::AnnounceRequest>(
           stream, [this, id, origin = *origin](
                       const auto& request) { return HandleAnnounce(origin, id, request); }),
       .on_done = [this, stream, id, origin = *origin] {
         origin_streams_.Remove(stream);
         HandleOriginDone(origin, id);
       }});
  std::shared_ptr<AnnounceStream> superseded;
  {
    const std::lock_guard lock(mutex_);
    superseded = std::exchange(origins_[*origin], {.id = id, .stream = stream, .named = {}}).stream;
    endpoints_.HandleOrigin(*origin);
  }
  if (superseded != nullptr) {
    superseded->End({grpc::StatusCode::ABORTED, "the same node opened a newer stream"});
  }
  return stream.get();
}

absl::Status PairingServiceImpl::HandleAnnounce(std::uint64_t origin, StreamId id,
                                                const v1::AnnounceRequest& request) {
  const auto announcement = AnnouncementFrom(request);
  if (!announcement.ok()) return announcement.status();
  {
    const std::lock_guard lock(mutex_);
    const auto open = origins_.find(origin);
    if (open == origins_.end() || open->second.id != id) {
      return absl::AbortedError("the same node opened a newer stream");
    }
    for (const Pair& pair : announcement->pairs) {
      if (pair.endpoint.ip != node_.address) {
        return absl::InvalidArgumentError("pairs.net_id: is not at this node's address");
      }
    }
    endpoints_.HandlePairs(origin, announcement->pairs, announcement->gone);
    std::set<KeyId>& named = open->second.named;
    for (const KeyId& key : announcement->gone) named.erase(key);
    for (const Pair& pair : announcement->pairs) {
      if (named.size() < EndpointTable::kPairsMax) named.insert(pair.key);  // more have no row
    }
    if (announcement->complete) endpoints_.Retain(origin, open->second.named);
  }
  Spread();
  return absl::OkStatus();
}

bool PairingServiceImpl::NextForOrigin(std::uint64_t origin, StreamId id,
                                       v1::AnnounceResponse& response) {
  const std::lock_guard lock(mutex_);
  const auto open = origins_.find(origin);
  if (open == origins_.end() || open->second.id != id) return false;
  for (const Admission& each : endpoints_.AdmissionsFor(origin)) {
    if (absl::IsPermissionDenied(each.status)) SayForbidden(origin, each);
    *response.add_admissions() = ToProto(each);
  }
  return !response.admissions().empty();
}

void PairingServiceImpl::HandleOriginDone(std::uint64_t origin, StreamId id) {
  {
    const std::lock_guard lock(mutex_);
    const auto open = origins_.find(origin);
    if (open == origins_.end() || open->second.id != id) return;
    origins_.erase(open);
    endpoints_.HandleOriginEnd(origin, confab::Now());
  }
  timer_.Wake();
}

AnnounceLinks::Handlers PairingServiceImpl::LinkHandlers() {
  return {
      .nodes =
          [this] {
            const std::lock_guard lock(mutex_);
            std::vector<IpAddress> nodes = pairs_.Nodes();
            std::erase(nodes, node_.address);
            return nodes;
          },
      .on_begin =
          [this](const IpAddress& to) {
            const std::lock_guard lock(mutex_);
            pairs_.HandleLink(to);
          },
      .on_end =
          [this](const IpAddress& to, const grpc::Status& status) {
            const std::lock_guard lock(mutex_);
            pairs_.HandleLinkEnd(to, status.ok());
          },
      .next = [this](const IpAddress& to) -> std::optional<v1::AnnounceRequest> {
        const std::lock_guard lock(mutex_);
        const auto news = pairs_.AnnouncementFor(to);
        if (!news) return std::nullopt;
        return ToProto(*news);
      },
      .on_message =
          [this](const IpAddress& from, const v1::AnnounceResponse& message) {
            {
              const std::lock_guard lock(mutex_);
              for (const v1::Admission& each : message.admissions()) {
                const auto admission = AdmissionFrom(each);
                if (admission.ok()) pairs_.HandleAdmission(from, *admission);
              }
            }
            Spread();
          },
  };
}

// Carries between this node's own callers and endpoints. With the lock held.
void PairingServiceImpl::SpreadOwn() {
  while (const auto news = pairs_.AnnouncementFor(node_.address)) {
    endpoints_.HandlePairs(own_, news->pairs, news->gone);
  }
  for (auto told = endpoints_.AdmissionsFor(own_); !told.empty();
       told = endpoints_.AdmissionsFor(own_)) {
    for (const Admission& each : told) pairs_.HandleAdmission(node_.address, each);
  }
}

// Wakes all that have something to say.
void PairingServiceImpl::Spread() {
  std::vector<std::shared_ptr<GuardStream>> guards;
  std::vector<std::shared_ptr<IntroduceStream>> callers;
  std::vector<std::shared_ptr<AnnounceStream>> origins;
  {
    const std::lock_guard lock(mutex_);
    SpreadOwn();
    for (const StreamId id : endpoints_.GuardsToTell()) {
      if (const auto guard = guards_.find(id); guard != guards_.end()) {
        guards.push_back(guard->second.stream);
      }
    }
    for (const StreamId id : pairs_.CallersToTell()) {
      if (const auto caller = callers_.find(id); caller != callers_.end()) {
        callers.push_back(caller->second.stream);
      }
    }
    for (const std::uint64_t origin : endpoints_.OriginsToTell()) {
      if (const auto open = origins_.find(origin); open != origins_.end()) {
        origins.push_back(open->second.stream);
      }
    }
  }
  for (const auto& stream : guards) stream->Wake();
  for (const auto& stream : callers) stream->Wake();
  for (const auto& stream : origins) stream->Wake();
  links_.Wake();
}

Instant PairingServiceImpl::Tick(Instant now) {
  std::vector<std::shared_ptr<AnnounceStream>> forgotten;
  {
    const std::lock_guard lock(mutex_);
    pairs_.HandleTimeout(now);
    for (const std::uint64_t origin : endpoints_.HandleTimeout(now)) {
      const auto open = origins_.find(origin);
      if (open != origins_.end()) forgotten.push_back(open->second.stream);
    }
  }
  for (const auto& stream : forgotten) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "its node is no living member; try again"});
  }
  Spread();
  const std::lock_guard lock(mutex_);
  return std::min(pairs_.NextTimeout(), endpoints_.NextTimeout());
}

void PairingServiceImpl::EndStreams() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  const grpc::Status ending(grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again");
  guard_streams_.EndAll(ending);
  caller_streams_.EndAll(ending);
  origin_streams_.EndAll(ending);
}

}  // namespace radix::trust
