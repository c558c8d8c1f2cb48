// A streaming call that is made again, with back-off, whenever it ends.

#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "services/confab/backoff.h"
#include "services/confab/entropy.h"
#include "services/confab/timer_thread.h"

namespace radix {

// `Stream` is a ClientStream or a ClientBidi. Every call is to be a new connection, since a channel
// that broke may take its time. Thread-safe; must not be destroyed on one of gRPC's own threads,
// because the destructor waits for them.
template <typename Stream, typename Response>
class LastingCall {
 public:
  struct Handlers {
    // Makes the call on a stream that it also makes; what it sets `keep` to is kept until the call
    // has ended.
    std::function<std::shared_ptr<Stream>(std::shared_ptr<void>& keep)> start;
    // Says what is to be said first; may be empty.
    std::function<void(Stream&)> on_begin;
    // They run on gRPC's threads, one at a time, must not block, and are not called any more when
    // the destructor has returned. `on_end` is told of every call that ended and may be empty.
    std::function<void(const Response&)> on_message;
    std::function<void(const grpc::Status&)> on_end;
  };

  explicit LastingCall(Handlers handlers)
      : handlers_(std::move(handlers)),
        random_(confab::RandomNumber()),
        backoff_(50ms, 1s),
        timer_([this](Instant now) { return Tick(now); }) {}

  ~LastingCall() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    ended_.wait(lock, [this] { return stream_ == nullptr; });
  }
  LastingCall(const LastingCall&) = delete;
  LastingCall& operator=(const LastingCall&) = delete;

  // Says it on the call that is there now, if there is one: whatever was not said, `on_begin` says.
  // Not to be called with a lock held that `on_begin` takes.
  template <typename Request>
  void Send(Request request) {
    const std::lock_guard lock(mutex_);
    // Who does not read is as good as gone.
    if (stream_ != nullptr && !stream_->Send(std::move(request))) stream_->Cancel();
  }

 private:
  Instant Tick(Instant now) {
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr || ending_) return Instant::max();
    if (now < next_try_at_) return next_try_at_;
    next_try_at_ = now + backoff_.Next(random_);
    stream_ = handlers_.start(call_);
    stream_->Begin({.on_message = [this](const Response& response) { HandleMessage(response); },
                    .on_end = [this](const grpc::Status& status) { HandleEnd(status); }});
    if (handlers_.on_begin) handlers_.on_begin(*stream_);
    return Instant::max();
  }

  void HandleMessage(const Response& response) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      backoff_.Reset();
    }
    handlers_.on_message(response);
  }

  void HandleEnd(const grpc::Status& status) {
    if (handlers_.on_end) handlers_.on_end(status);
    const std::lock_guard lock(mutex_);
    stream_ = nullptr;
    call_ = nullptr;
    // Under the lock, because the destructor goes on as soon as it gets it.
    if (!ending_) timer_.Wake();
    ended_.notify_all();
  }

  const Handlers handlers_;
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

}  // namespace radix
