#include "services/heartbeater/heartbeater_service.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/caller.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"
#include "services/heartbeater/heartbeater_codec.h"
#include "services/registry/registry_codec.h"

namespace radix::heartbeater {
namespace {

constexpr std::size_t kBeatStreamsMax = 2 * Liveness::kInstancesMax;
constexpr std::size_t kWatchersMax = 64;
constexpr std::size_t kAnswersMax = 16;
constexpr Duration kRound = 5s;

}  // namespace

HeartbeaterServiceImpl::HeartbeaterServiceImpl(confab::Node node, std::string bloc)
    : node_(std::move(node)),
      bloc_(std::move(bloc)),
      origin_(absl::StrCat("heartbeater-", absl::Hex(confab::RandomNumber()))),
      next_round_at_(confab::Now() + kRound),
      beats_(kBeatStreamsMax),
      watchers_(kWatchersMax),
      processes_([this](StreamId id) { HandleGone(id); }),
      timer_([this](Instant now) { return Tick(now); }) {}

grpc::ServerBidiReactor<v1::BeatRequest, v1::BeatResponse>* HeartbeaterServiceImpl::Beat(
    grpc::CallbackServerContext* context) {
  auto stream = BeatStream::Create(kAnswersMax);
  const bool local = confab::CameThroughUnixSocket(*context);
  StreamId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_stream_;
  }
  const bool added = local && beats_.Add(stream);
  stream->Begin({.on_message =
                     [this, stream, id, local](const v1::BeatRequest& request) {
                       if (local) HandleBeat(*stream, id, request);
                     },
                 .on_done =
                     [this, stream, id] {
                       HandleDone(id, stream->broken());
                       beats_.Remove(stream);
                     }});
  if (!local) {
    stream->End({grpc::StatusCode::PERMISSION_DENIED,
                 "who serves beats to the heartbeater of its own node, through its Unix socket"});
  } else if (!added) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "too many streams, or shutting down; try again"});
  }
  return stream.get();
}

void HeartbeaterServiceImpl::HandleBeat(BeatStream& stream, StreamId id,
                                        const v1::BeatRequest& request) {
  auto accepted = Accept(id, request);
  if (!accepted.ok()) {
    stream.End(confab::ToGrpc(accepted.status()));
    return;
  }
  if (!accepted->changed) return;
  watchers_.WakeAll();
  timer_.Wake();
  v1::BeatResponse response;
  response.set_revision(static_cast<std::int64_t>(accepted->revision));
  response.set_warning(accepted->warning);
  if (!accepted->warning.empty()) spdlog::warn("{}", accepted->warning);
  if (!stream.Send(std::move(response))) {
    stream.End({grpc::StatusCode::RESOURCE_EXHAUSTED, "answers are not read"});
  }
}

absl::StatusOr<Accepted> HeartbeaterServiceImpl::Accept(StreamId id,
                                                        const v1::BeatRequest& request) {
  auto beat = BeatFrom(request, node_, bloc_);
  if (!beat.ok()) return beat.status();
  if (beat->process) {
    // Before the table has it: then the death of a process is never missed.
    if (auto watched = processes_.Watch(id, *beat->process); !watched.ok()) {
      return absl::InvalidArgumentError(std::string(watched.message()));
    }
  }
  std::vector<StreamId> forgotten;
  absl::StatusOr<Accepted> accepted;
  {
    const std::lock_guard lock(mutex_);
    accepted = liveness_.HandleBeat(id, *beat, confab::Now());
    forgotten = liveness_.TakeForgotten();
  }
  ForgetProcesses(forgotten);
  return accepted;
}

void HeartbeaterServiceImpl::HandleDone(StreamId id, bool broken) {
  if (broken) {
    const std::lock_guard lock(mutex_);
    if (liveness_.HandleStreamBreak(id)) return;
  }
  HandleGone(id);
}

void HeartbeaterServiceImpl::HandleGone(StreamId id) {
  processes_.Forget(id);
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    changed = liveness_.HandleStreamEnd(id, confab::Now());
  }
  if (changed) watchers_.WakeAll();
}

// Those whose processes need not be watched any more.
void HeartbeaterServiceImpl::ForgetProcesses(const std::vector<StreamId>& streams) {
  for (const StreamId id : streams) processes_.Forget(id);
}

grpc::ServerUnaryReactor* HeartbeaterServiceImpl::ListInstances(
    grpc::CallbackServerContext* context, const v1::ListInstancesRequest* /*request*/,
    v1::ListInstancesResponse* response) {
  {
    const std::lock_guard lock(mutex_);
    liveness_.HandleTimeout(confab::Now());
    for (const registry::Instance& instance : liveness_.List()) {
      *response->add_instances() = registry::ToProto(instance);
    }
  }
  return confab::Answer(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::WatchResponse>* HeartbeaterServiceImpl::Watch(
    grpc::CallbackServerContext* /*context*/, const v1::WatchRequest* /*request*/) {
  auto stream = WatchStream::Create();
  if (!watchers_.Add(stream)) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 64 watchers already"});
    return stream.get();
  }
  auto cursor = std::make_shared<Cursor>();
  stream->Begin([this, cursor](v1::WatchResponse& response) { return NextFor(*cursor, response); },
                [this, stream] { watchers_.Remove(stream); });
  return stream.get();
}

bool HeartbeaterServiceImpl::NextFor(Cursor& cursor, v1::WatchResponse& response) {
  const std::lock_guard lock(mutex_);
  if (cursor.revision == liveness_.table().revision() && cursor.round == round_) return false;
  registry::Delta delta = liveness_.table().Since(cursor.revision);
  delta.origin = origin_;
  cursor = {delta.revision, round_};
  *response.mutable_delta() = registry::ToProto(delta);
  return true;
}

Instant HeartbeaterServiceImpl::Tick(Instant now) {
  bool wake = false;
  Instant next;
  std::vector<StreamId> forgotten;
  {
    const std::lock_guard lock(mutex_);
    wake = liveness_.HandleTimeout(now);
    forgotten = liveness_.TakeForgotten();
    if (now >= next_round_at_) {
      ++round_;
      next_round_at_ = now + kRound;
      wake = true;
    }
    next = std::min(next_round_at_, liveness_.NextTimeout());
  }
  ForgetProcesses(forgotten);
  if (wake) watchers_.WakeAll();
  return next;
}

void HeartbeaterServiceImpl::EndStreams() {
  const grpc::Status ending(grpc::StatusCode::UNAVAILABLE, "the heartbeater is shutting down");
  beats_.EndAll(ending);
  watchers_.EndAll(ending);
}

}  // namespace radix::heartbeater
