#include "clients/cpp/instance_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "clients/cpp/client_stream.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"

namespace radix {

struct InstanceWatch::Link {
  std::unique_ptr<reeve::v1::ReeveService::Stub> stub;
  reeve::v1::WatchRequest request;
  std::shared_ptr<ClientStream<reeve::v1::WatchResponse>> stream;
  std::mutex mutex;
  InstanceWatch* owner = nullptr;  // nullptr: nobody listens any more
  Instant heard{};
  std::string origin;
  bool answered = false;
  bool ended = false;

  void OnMessage(const reeve::v1::WatchResponse& response) {
    const std::lock_guard lock(mutex);
    if (owner == nullptr) return;
    heard = confab::Now();
    registry::v1::Delta delta = response.delta();
    // Another origin is another table's life, whose first delta is whole.
    if (!answered || delta.origin() != origin) delta.set_snapshot(true);
    answered = true;
    origin = delta.origin();
    {
      const std::lock_guard owner_lock(owner->mutex_);
      owner->error_.clear();
    }
    owner->on_delta_(delta);
  }

  void OnEnd(const grpc::Status& status) {
    const std::lock_guard lock(mutex);
    ended = true;
    if (owner == nullptr) return;
    {
      const std::lock_guard owner_lock(owner->mutex_);
      owner->error_ = status.ok() ? "reeve ended the watch" : status.error_message();
    }
    owner->timer_.Wake();
  }

  // Nothing reaches the owner after this.
  void Leave() {
    {
      const std::lock_guard lock(mutex);
      owner = nullptr;
    }
    stream->Cancel();
  }
};

InstanceWatch::InstanceWatch(const Network& network, registry::v1::Selector selector,
                             Duration rescan, OnDelta on_delta)
    : network_(network),
      selector_(std::move(selector)),
      rescan_(std::max<Duration>(rescan, 10ms)),
      on_delta_(std::move(on_delta)),
      random_(confab::RandomNumber()),
      backoff_(20ms, 1s),
      timer_([this](Instant now) { return Tick(now); }) {}

InstanceWatch::~InstanceWatch() {
  std::shared_ptr<Link> link;
  {
    const std::lock_guard lock(mutex_);
    link = std::move(link_);
    stopping_ = true;
  }
  if (link != nullptr) link->Leave();
}

std::string InstanceWatch::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

Instant InstanceWatch::Tick(Instant now) {
  std::shared_ptr<Link> link;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Instant::max();
    if (now < not_before_) return not_before_;
    if (link_ == nullptr) {
      Open(now);
      return now + rescan_;
    }
    link = link_;
  }
  bool ended = false;
  {
    const std::lock_guard lock(link->mutex);
    if (!link->ended && now < link->heard + rescan_) return link->heard + rescan_;
    ended = link->ended;
    if (link->answered) backoff_.Reset();
  }
  link->Leave();
  const std::lock_guard lock(mutex_);
  link_ = nullptr;
  not_before_ = ended ? now + backoff_.Next(random_) : now;
  return not_before_;
}

// Holds mutex_.
void InstanceWatch::Open(Instant now) {
  auto link = std::make_shared<Link>();
  link->owner = this;
  link->heard = now;
  *link->request.mutable_selector() = selector_;
  link->stub = reeve::v1::ReeveService::NewStub(confab::DialLocal(network_.node, "reeve"));
  link->stream = ClientStream<reeve::v1::WatchResponse>::Create();
  link->stub->async()->Watch(&link->stream->context(), &link->request, link->stream.get());
  link->stream->Begin(
      {.on_message = [link](const reeve::v1::WatchResponse& each) { link->OnMessage(each); },
       .on_end = [link](const grpc::Status& status) { link->OnEnd(status); }});
  link_ = std::move(link);
}

}  // namespace radix
