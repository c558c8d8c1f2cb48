#include "services/reeve/door_service.h"

#include <utility>

#include "services/confab/caller.h"
#include "services/confab/grpc_status.h"
#include "services/reeve/door_codec.h"

namespace radix::reeve {

using trust::v1::HoldDoorsRequest;
using trust::v1::HoldDoorsResponse;

DoorServiceImpl::DoorServiceImpl(Doors& doors) : doors_(doors) {
  doors_.OnChange([this] { Wake(); });
}

DoorServiceImpl::~DoorServiceImpl() { doors_.OnChange(nullptr); }

grpc::ServerBidiReactor<HoldDoorsRequest, HoldDoorsResponse>* DoorServiceImpl::HoldDoors(
    grpc::CallbackServerContext* context) {
  auto stream = Stream::Create();
  const bool local = confab::CameThroughUnixSocket(*context);
  const bool added = local && streams_.Add(stream);
  stream->Begin([this, of = stream.get()](auto& response) { return NextFor(of, response); },
                {.on_message =
                     [this, stream](const HoldDoorsRequest& request) {
                       const absl::Status taken = HandleSet(stream, request);
                       if (!taken.ok()) stream->End(confab::ToGrpc(taken));
                     },
                 .on_done = [this, stream] { HandleDone(stream); }});
  if (!added) {
    stream->End(local ? grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                     "too many streams, or reeve is shutting down; connect again")
                      : grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                                     "only this node's picket may say what doors there are"));
    return stream.get();
  }
  std::shared_ptr<Stream> before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(holder_, stream);
    heard_ = false;
  }
  if (before != nullptr) before->End({grpc::StatusCode::ABORTED, "a newer stream was opened"});
  return stream.get();
}

absl::Status DoorServiceImpl::HandleSet(const std::shared_ptr<Stream>& stream,
                                        const HoldDoorsRequest& request) {
  const auto doors = DoorsFrom(request);
  if (!doors.ok()) return doors.status();
  {
    const std::lock_guard lock(mutex_);
    if (holder_ != stream) return absl::AbortedError("a newer stream was opened");
    // Two threads of picket's may have sent theirs in the other order.
    if (heard_ && request.number() < number_) return absl::OkStatus();
    if (auto taken = doors_.HandleSet(request.number(), *doors); !taken.ok()) return taken;
    if (!std::exchange(heard_, true)) told_revision_ = 0;
    number_ = request.number();
  }
  stream->Wake();
  return absl::OkStatus();
}

bool DoorServiceImpl::NextFor(const Stream* stream, HoldDoorsResponse& response) {
  const std::lock_guard lock(mutex_);
  if (holder_.get() != stream || !heard_) return false;
  const auto now = doors_.Since(told_revision_);
  if (!now) return false;
  told_revision_ = now->revision;
  response = ToProto(now->number, now->doors);
  return true;
}

void DoorServiceImpl::HandleDone(const std::shared_ptr<Stream>& stream) {
  streams_.Remove(stream);
  const std::lock_guard lock(mutex_);
  if (holder_ == stream) holder_ = nullptr;
}

void DoorServiceImpl::Wake() {
  std::shared_ptr<Stream> stream;
  {
    const std::lock_guard lock(mutex_);
    stream = holder_;
  }
  if (stream != nullptr) stream->Wake();
}

void DoorServiceImpl::EndStreams() {
  streams_.EndAll({grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again"});
}

}  // namespace radix::reeve
