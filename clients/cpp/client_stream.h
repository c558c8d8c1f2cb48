// Client-side streams that live until they are cancelled or the server ends them.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace radix {

// A server-streaming call:
//
//   auto watch = ClientStream<WatchResponse>::Create();
//   stub->async()->Watch(&watch->context(), &request, watch.get());
//   watch->Begin({.on_message = ..., .on_end = ...});
//
// Keeps itself alive until `on_end` returned. Handlers run on gRPC's threads, one at a time; they
// must not block. `request` need only live until Begin returns. Thread-safe.
template <typename Response>
class ClientStream final : public grpc::ClientReadReactor<Response> {
 public:
  struct Handlers {
    std::function<void(const Response&)> on_message;
    std::function<void(const grpc::Status&)> on_end;  // called once, last
  };

  static std::shared_ptr<ClientStream> Create() {
    std::shared_ptr<ClientStream> stream(new ClientStream);
    stream->self_ = stream;
    return stream;
  }

  // For metadata and deadlines, before the call is made.
  grpc::ClientContext& context() { return context_; }

  // Starts the call. Call once.
  void Begin(Handlers handlers) {
    handlers_ = std::move(handlers);
    this->StartRead(&incoming_);
    this->StartCall();
  }

  // Ends the call; `on_end` follows, with CANCELLED unless the call had ended otherwise.
  void Cancel() { context_.TryCancel(); }

 private:
  ClientStream() = default;

  void OnReadDone(bool ok) override {
    if (!ok) return;
    handlers_.on_message(incoming_);
    this->StartRead(&incoming_);
  }
  void OnDone(const grpc::Status& status) override {
    const auto self = std::move(self_);
    const Handlers handlers = std::exchange(handlers_, {});
    if (handlers.on_end) handlers.on_end(status);
  }

  grpc::ClientContext context_;
  Response incoming_;
  Handlers handlers_;
  std::shared_ptr<ClientStream> self_;
};

// A bidirectional call, used in the same way; Send may be called from Begin on.
template <typename Request, typename Response>
class ClientBidi final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  struct Handlers {
    std::function<void(const Response&)> on_message;
    std::function<void(const grpc::Status&)> on_end;  // called once, last
  };

  // At most `queue_max` messages wait to be sent.
  static std::shared_ptr<ClientBidi> Create(std::size_t queue_max) {
    std::shared_ptr<ClientBidi> stream(new ClientBidi(queue_max));
    stream->self_ = stream;
    return stream;
  }

  grpc::ClientContext& context() { return context_; }

  // Starts the call. Call once.
  void Begin(Handlers handlers) {
    handlers_ = std::move(handlers);
    this->AddHold();  // for the writes that come from outside of reactions
    this->StartRead(&incoming_);
    this->StartCall();
  }

  // Queues a message. False when the call is over or `queue_max` wait already.
  bool Send(Request message) {
    const std::lock_guard lock(mutex_);
    if (closed_ || half_closed_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(message));
    WriteNext();
    return true;
  }

  // Says that no more will be sent, after what is queued was.
  void HalfClose() {
    const std::lock_guard lock(mutex_);
    if (closed_ || half_closed_) return;
    half_closed_ = true;
    WriteNext();
  }

  // Ends the call; `on_end` follows, with CANCELLED unless the call had ended otherwise.
  void Cancel() { context_.TryCancel(); }

 private:
  explicit ClientBidi(std::size_t queue_max) : queue_max_(queue_max) {}

  void WriteNext() {
    if (closed_ || writing_) return;
    if (!queue_.empty()) {
      writing_ = true;
      outgoing_ = std::move(queue_.front());
      queue_.pop_front();
      this->StartWrite(&outgoing_);
    } else if (half_closed_) {
      writing_ = true;
      this->StartWritesDone();
    }
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) WriteNext();  // if not, the call is over, and OnReadDone says so
  }
  void OnReadDone(bool ok) override {
    if (ok) {
      handlers_.on_message(incoming_);
      this->StartRead(&incoming_);
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    this->RemoveHold();
  }
  void OnDone(const grpc::Status& status) override {
    const auto self = std::move(self_);
    const Handlers handlers = std::exchange(handlers_, {});
    if (handlers.on_end) handlers.on_end(status);
  }

  const std::size_t queue_max_;
  grpc::ClientContext context_;
  Response incoming_;
  Handlers handlers_;
  std::shared_ptr<ClientBidi> self_;
  std::mutex mutex_;
  std::deque<Request> queue_;
  Request outgoing_;
  bool writing_ = false;
  bool half_closed_ = false;
  bool closed_ = false;
};

}  // namespace radix
