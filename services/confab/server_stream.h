// Server-side streams that can be written to from anywhere, at any time.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace radix::confab {

// The writing half of a server's stream: a bounded queue in front of gRPC's one outstanding write.
// A mix-in of the two reactors below; `Reactor` is the gRPC base that has StartWrite and Finish.
//
// Thread-safe.
template <typename Reactor, typename Response>
class ServerWrites : public Reactor {
 public:
  // Queues a message. False when `queue_max` wait already (the caller should End the stream: its
  // reader is too slow) or the stream is ending.
  bool Send(Response message) {
    const std::lock_guard lock(mutex_);
    if (ended_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(message));
    WriteNext();
    return true;
  }

  // Queues a message in place of all that wait: for readers who need only the latest state.
  void SendLatest(Response message) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    queue_.clear();
    queue_.push_back(std::move(message));
    WriteNext();
  }

  // Ends the stream with `status`; with OK, after what is queued was sent. The first call counts.
  void End(grpc::Status status) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (!status.ok()) queue_.clear();
    ended_ = std::move(status);
    FinishWhenIdle();
  }

 protected:
  // Whether End was called.
  bool ending() {
    const std::lock_guard lock(mutex_);
    return ended_.has_value();
  }

  explicit ServerWrites(std::size_t queue_max) : queue_max_(queue_max) {}

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) queue_.clear();  // the caller is gone; OnCancel says so
    WriteNext();
    FinishWhenIdle();
  }

 private:
  void WriteNext() {
    if (writing_ || finished_ || queue_.empty()) return;
    writing_ = true;
    outgoing_ = std::move(queue_.front());
    queue_.pop_front();
    this->StartWrite(&outgoing_);
  }

  void FinishWhenIdle() {
    if (!ended_ || writing_ || finished_ || !queue_.empty()) return;
    finished_ = true;
    this->Finish(*ended_);
  }

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::deque<Response> queue_;
  Response outgoing_;
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> ended_;
};

// A server-streaming call. Keeps itself alive until gRPC is done with it:
//
//   auto stream = ServerStream<WatchResponse>::Create(16);
//   stream->Begin([this, weak = std::weak_ptr(stream)] { Forget(weak); });
//   return stream.get();  // gRPC's reactor; whoever sends keeps the shared_ptr
template <typename Response>
class ServerStream final : public ServerWrites<grpc::ServerWriteReactor<Response>, Response> {
 public:
  // At most `queue_max` messages wait.
  static std::shared_ptr<ServerStream> Create(std::size_t queue_max) {
    std::shared_ptr<ServerStream> stream(new ServerStream(queue_max));
    stream->self_ = stream;
    return stream;
  }

  // `on_done` is called once, when the call is over for whatever reason.
  void Begin(std::function<void()> on_done) { on_done_ = std::move(on_done); }

 private:
  using Base = ServerWrites<grpc::ServerWriteReactor<Response>, Response>;
  explicit ServerStream(std::size_t queue_max) : Base(queue_max) {}

  void OnCancel() override { this->End(grpc::Status::CANCELLED); }
  void OnDone() override {
    const auto self = std::move(self_);
    if (on_done_) std::exchange(on_done_, nullptr)();
  }

  std::shared_ptr<ServerStream> self_;
  std::function<void()> on_done_;
};

// A bidirectional call, kept alive in the same way. Messages arrive one at a time, on gRPC's
// threads; handlers must not block.
template <typename Request, typename Response>
class ServerBidi final : public ServerWrites<grpc::ServerBidiReactor<Request, Response>, Response> {
 public:
  struct Handlers {
    std::function<void(const Request&)> on_message;
    // The caller has half-closed. Unset: the stream ends with OK.
    std::function<void()> on_half_close;
    // The call is over, for whatever reason.
    std::function<void()> on_done;
  };

  static std::shared_ptr<ServerBidi> Create(std::size_t queue_max) {
    std::shared_ptr<ServerBidi> stream(new ServerBidi(queue_max));
    stream->self_ = stream;
    return stream;
  }

  // Whether the caller cancelled, or its connection broke. Known when on_done is called.
  bool broken() const { return broken_; }

  // Begins to read. Call once, before the reactor is returned to gRPC.
  void Begin(Handlers handlers) {
    handlers_ = std::move(handlers);
    this->StartRead(&incoming_);
  }

 private:
  using Base = ServerWrites<grpc::ServerBidiReactor<Request, Response>, Response>;
  explicit ServerBidi(std::size_t queue_max) : Base(queue_max) {}

  void OnReadDone(bool ok) override {
    if (ok) {
      if (this->ending()) return;  // what the caller still sends is not read
      handlers_.on_message(incoming_);
      this->StartRead(&incoming_);
    } else if (handlers_.on_half_close) {
      handlers_.on_half_close();
    } else {
      this->End(grpc::Status::OK);
    }
  }
  void OnCancel() override {
    broken_ = true;
    this->End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    const auto self = std::move(self_);
    const Handlers handlers = std::exchange(handlers_, {});
    if (handlers.on_done) handlers.on_done();
  }

  std::shared_ptr<ServerBidi> self_;
  Request incoming_;
  std::atomic<bool> broken_ = false;
  Handlers handlers_;
};

}  // namespace radix::confab
