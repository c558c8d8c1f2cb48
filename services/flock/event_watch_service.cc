#include "services/flock/event_watch_service.h"

#include <utility>

#include "services/flock/flock_codec.h"

namespace radix::flock {
namespace {

// A reader that takes no more is tried again after this long.
constexpr Duration kSlowReader = 100ms;
// Batches that may wait in one stream.
constexpr std::size_t kQueue = 2;

}  // namespace

EventWatchService::EventWatchService(const FlockDriver& driver)
    : driver_(driver), timer_([this](Instant now) { return Tick(now); }) {}

grpc::ServerWriteReactor<v1::WatchEventsResponse>* EventWatchService::Add(std::int64_t sequence) {
  auto stream = Stream::Create(kQueue);
  stream->Begin([this, stream] {
    const std::lock_guard lock(mutex_);
    watchers_.erase(stream);
  });
  const std::int64_t last = driver_.last_event();
  if (sequence < 0) {
    sequence = last;
  } else if (sequence > last) {
    sequence = 0;  // of an earlier process
  }
  bool ended = false;
  bool added = false;
  {
    const std::lock_guard lock(mutex_);
    ended = ended_;
    added = !ended && watchers_.size() < kWatchersMax;
    if (added) watchers_[stream] = sequence;
  }
  if (added) {
    Wake();
  } else {
    stream->End(ended ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "flock is shutting down")
                      : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                     "there are 64 watchers of events already"));
  }
  return stream.get();
}

bool EventWatchService::Serve(Stream& stream, std::int64_t& sent) {
  for (;;) {
    const auto happenings = driver_.EventsAfter(sent, kBatch);
    if (happenings.empty()) return true;
    v1::WatchEventsResponse response;
    for (const Happening& happening : happenings) *response.add_events() = ToProto(happening);
    if (!stream.Send(std::move(response))) return false;
    sent = happenings.back().entry.sequence;
  }
}

std::map<std::shared_ptr<EventWatchService::Stream>, std::int64_t> EventWatchService::Watchers() {
  const std::lock_guard lock(mutex_);
  return watchers_;
}

Instant EventWatchService::Tick(Instant now) {
  bool slow = false;
  for (auto& [stream, sent] : Watchers()) {
    std::int64_t reached = sent;
    if (!Serve(*stream, reached)) slow = true;
    const std::lock_guard lock(mutex_);
    const auto watcher = watchers_.find(stream);
    if (watcher != watchers_.end()) watcher->second = reached;
  }
  return slow ? now + kSlowReader : Instant::max();
}

void EventWatchService::EndStreams() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  for (const auto& [stream, sent] : Watchers()) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "flock is shutting down"});
  }
}

}  // namespace radix::flock
