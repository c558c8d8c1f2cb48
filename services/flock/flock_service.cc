#include "services/flock/flock_service.h"

#include <utility>

#include "services/confab/clock.h"
#include "services/confab/grpc_status.h"
#include "services/flock/flock_codec.h"

namespace radix::flock {
namespace {

// While much happens, watchers hear of it together: a view of ten thousand is not made a thousand
// times a second.
constexpr Duration kQuiet = 20ms;

}  // namespace

FlockServiceImpl::FlockServiceImpl(FlockDriver& driver)
    : driver_(driver),
      events_(driver),
      keys_(driver),
      timer_([this](Instant now) { return Tick(now); }) {}

grpc::ServerUnaryReactor* FlockServiceImpl::ListMembers(grpc::CallbackServerContext* context,
                                                        const v1::ListMembersRequest* /*request*/,
                                                        v1::ListMembersResponse* response) {
  *response = ToMembers(driver_.View());
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* FlockServiceImpl::ListEvents(grpc::CallbackServerContext* context,
                                                       const v1::ListEventsRequest* request,
                                                       v1::ListEventsResponse* response) {
  auto* reactor = context->DefaultReactor();
  if (request->limit() < 0 || request->limit() > kEventsMost) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "limit: must be from 0 to 10,000"});
    return reactor;
  }
  const std::int32_t limit = request->limit() == 0 ? kEventsDefault : request->limit();
  for (const Happening& happening : driver_.LastEvents(static_cast<std::size_t>(limit))) {
    *response->add_events() = ToProto(happening);
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchEventsResponse>* FlockServiceImpl::WatchEvents(
    grpc::CallbackServerContext* /*context*/, const v1::WatchEventsRequest* request) {
  return events_.Add(request->after_sequence());
}

grpc::ServerUnaryReactor* FlockServiceImpl::ExplainNode(grpc::CallbackServerContext* context,
                                                        const v1::ExplainNodeRequest* request,
                                                        v1::ExplainNodeResponse* response) {
  auto* reactor = context->DefaultReactor();
  const auto account = driver_.Explain(request->node());
  if (account.ok()) *response = ToProto(*account);
  reactor->Finish(account.ok() ? grpc::Status::OK : confab::ToGrpc(account.status()));
  return reactor;
}

grpc::ServerUnaryReactor* FlockServiceImpl::GetCounters(grpc::CallbackServerContext* context,
                                                        const v1::GetCountersRequest* /*request*/,
                                                        v1::GetCountersResponse* response) {
  *response = ToProto(driver_.counters(), driver_.unsent_count());
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* FlockServiceImpl::GetKeys(grpc::CallbackServerContext* context,
                                                    const v1::GetKeysRequest* /*request*/,
                                                    v1::GetKeysResponse* response) {
  auto* reactor = context->DefaultReactor();
  keys_.GetKeys(response, reactor);
  return reactor;
}

grpc::ServerUnaryReactor* FlockServiceImpl::RotateSecondaryKey(
    grpc::CallbackServerContext* context, const v1::RotateSecondaryKeyRequest* request,
    v1::RotateSecondaryKeyResponse* response) {
  auto* reactor = context->DefaultReactor();
  keys_.Rotate(*request, response, reactor);
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchGroupResponse>* FlockServiceImpl::WatchGroup(
    grpc::CallbackServerContext* /*context*/, const v1::WatchGroupRequest* /*request*/) {
  auto stream = Stream::Create(1);
  stream->Begin([this, stream] {
    const std::lock_guard lock(mutex_);
    watchers_.erase(stream);
  });
  const std::lock_guard sending(sending_);
  bool ended = false;
  bool added = false;
  {
    const std::lock_guard lock(mutex_);
    ended = ended_;
    added = !ended && watchers_.size() < kWatchersMax && watchers_.insert(stream).second;
  }
  if (added) {
    stream->SendLatest(Next());
  } else {
    stream->End(ended ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "flock is shutting down")
                      : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                     "there are 64 watchers already"));
  }
  return stream.get();
}

v1::WatchGroupResponse FlockServiceImpl::Next() {
  v1::WatchGroupResponse response = ToWatch(driver_.View());
  response.set_revision(++revision_);
  return response;
}

std::vector<std::shared_ptr<FlockServiceImpl::Stream>> FlockServiceImpl::Watchers() {
  const std::lock_guard lock(mutex_);
  return {watchers_.begin(), watchers_.end()};
}

void FlockServiceImpl::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  timer_.Wake();
  events_.Wake();
}

Instant FlockServiceImpl::Tick(Instant now) {
  {
    const std::lock_guard lock(mutex_);
    if (!woken_) return Instant::max();
    if (now < quiet_until_) return quiet_until_;
    woken_ = false;
  }
  quiet_until_ = now + kQuiet;
  const std::lock_guard sending(sending_);
  const auto watchers = Watchers();
  if (watchers.empty()) return Instant::max();
  const v1::WatchGroupResponse response = Next();
  for (const auto& watcher : watchers) watcher->SendLatest(response);
  return Instant::max();
}

void FlockServiceImpl::EndStreams() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  driver_.EndOrders();
  events_.EndStreams();
  for (const auto& watcher : Watchers()) {
    watcher->End({grpc::StatusCode::UNAVAILABLE, "flock is shutting down"});
  }
}

}  // namespace radix::flock
