// A server-streaming call that is made again, with back-off, whenever it ends.

#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "clients/cpp/client_stream.h"
#include "services/confab/backoff.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"

namespace radix {

// Follows a Watch for as long as it exists:
//
//   Subscription<WatchGroupResponse> group(
//       WatchLocal<FlockService>(node, "flock", &FlockService::Stub::async::WatchGroup),
//       [this](const WatchGroupResponse& response) { ... });
//
// Every call is a new connection, since a channel that broke may take its time. The watched service
// sends its state first, so nothing is missed. Thread-safe; must not be destroyed on
// one of gRPC's own threads, because the destructor waits for them.
template <typename Response>
class Subscription {
 public:
  // Makes the call; what it returns is kept until the call has ended.
  using Start = std::function<std::shared_ptr<void>(grpc::ClientContext& context,
                                                    grpc::ClientReadReactor<Response>* reactor)>;

  // The handlers run on gRPC's threads, one at a time, must not block, and are not called any more
  // when the destructor has returned. `on_end` is told of every call that ended and may be empty.
  Subscription(Start start, std::function<void(const Response&)> on_message,
               std::function<void(const grpc::Status&)> on_end = nullptr)
      : start_(std::move(start)),
        on_message_(std::move(on_message)),
        on_end_(std::move(on_end)),
        random_(confab::RandomNumber()),
        backoff_(50ms, 1s),
        timer_([this](Instant now) { return Tick(now); }) {}

  ~Subscription() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    ended_.wait(lock, [this] { return stream_ == nullptr; });
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  using Stream = ClientStream<Response>;

  Instant Tick(Instant now) {
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr || ending_) return Instant::max();
    if (now < next_try_at_) return next_try_at_;
    next_try_at_ = now + backoff_.Next(random_);
    stream_ = Stream::Create();
    call_ = start_(stream_->context(), stream_.get());
    stream_->Begin({.on_message = [this](const Response& response) { HandleMessage(response); },
                    .on_end = [this](const grpc::Status& status) { HandleEnd(status); }});
    return Instant::max();
  }

  void HandleMessage(const Response& response) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      backoff_.Reset();
    }
    on_message_(response);
  }

  void HandleEnd(const grpc::Status& status) {
    if (on_end_) on_end_(status);
    const std::lock_guard lock(mutex_);
    stream_ = nullptr;
    call_ = nullptr;
    // Under the lock, because the destructor goes on as soon as it gets it.
    if (!ending_) timer_.Wake();
    ended_.notify_all();
  }

  const Start start_;
  const std::function<void(const Response&)> on_message_;
  const std::function<void(const grpc::Status&)> on_end_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<void> call_;
  Instant next_try_at_;
  Random random_;
  Backoff backoff_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

// What a Subscription to `service` of `node` starts with, for example "flock".
template <typename Service, typename Request, typename Response>
typename Subscription<Response>::Start WatchLocal(
    confab::Node node, std::string service,
    void (Service::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                         grpc::ClientReadReactor<Response>*),
    Request request = Request()) {
  return [=](grpc::ClientContext& context, grpc::ClientReadReactor<Response>* reactor) {
    std::shared_ptr<typename Service::Stub> stub =
        Service::NewStub(confab::DialLocal(node, service));
    (stub->async()->*method)(&context, &request, reactor);
    return stub;
  };
}

}  // namespace radix
