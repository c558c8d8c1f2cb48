// Server-side streams that ask for what to send next, whenever there is room.
//
// What waits for a slow reader is then not a queue but a revision number, kept by the source: it
// costs the same whether it reads or not, and gets the latest state when it reads again.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace radix::registry {

// The writing half. `Reactor` is the gRPC base that has StartWrite and Finish. Thread-safe.
template <typename Reactor, typename Response>
class PulledWrites : public Reactor {
 public:
  // Fills in the next message, which is empty; false when there is nothing to say now. Called on
  // any thread, never twice at once. Must not call back into the stream.
  using Source = std::function<bool(Response&)>;

  // Has the source asked soon. Not to be called with a lock held that the source takes.
  void Wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      if (busy_) return;
      busy_ = true;
    }
    Pull();
  }

  // Ends the stream; what was being sent is still sent. The first call counts.
  void End(grpc::Status status) {
    {
      const std::lock_guard lock(mutex_);
      if (!ended_) ended_ = std::move(status);
      if (busy_) return;
      busy_ = true;
    }
    Pull();
  }

 protected:
  void SetSource(Source source) { source_ = std::move(source); }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      const std::lock_guard lock(mutex_);
      if (!ended_) ended_ = grpc::Status::CANCELLED;
    }
    Pull();
  }

 private:
  // Only one thread is here at a time: the one that made `busy_` true. It stays true while a write
  // is under way and after the end.
  void Pull() {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (ended_) break;
        woken_ = false;
      }
      outgoing_.Clear();
      if (source_(outgoing_)) {
        this->StartWrite(&outgoing_);
        return;
      }
      const std::lock_guard lock(mutex_);
      if (!woken_ && !ended_) {
        busy_ = false;
        return;
      }
    }
    this->Finish(*ended_);
  }

  std::mutex mutex_;
  Source source_;
  Response outgoing_;
  bool busy_ = false;
  bool woken_ = false;
  std::optional<grpc::Status> ended_;  // unchanged once set
};

// A server-streaming call. Keeps itself alive until gRPC is done with it.
template <typename Response>
class PulledStream final : public PulledWrites<grpc::ServerWriteReactor<Response>, Response> {
 public:
  using Base = PulledWrites<grpc::ServerWriteReactor<Response>, Response>;

  static std::shared_ptr<PulledStream> Create() {
    std::shared_ptr<PulledStream> stream(new PulledStream);
    stream->self_ = stream;
    return stream;
  }

  // Starts to send. `on_done` is called once, when the call is over for whatever reason.
  void Begin(typename Base::Source source, std::function<void()> on_done) {
    this->SetSource(std::move(source));
    on_done_ = std::move(on_done);
    this->Wake();
  }

 private:
  PulledStream() = default;
  void OnCancel() override { this->End(grpc::Status::CANCELLED); }
  void OnDone() override {
    const auto self = std::move(self_);
    if (on_done_) std::exchange(on_done_, nullptr)();
  }

  std::shared_ptr<PulledStream> self_;
  std::function<void()> on_done_;
};

// A bidirectional call, kept alive in the same way. Messages arrive one at a time, on gRPC's
// threads; handlers must not block.
template <typename Request, typename Response>
class PulledBidi final : public PulledWrites<grpc::ServerBidiReactor<Request, Response>, Response> {
 public:
  using Base = PulledWrites<grpc::ServerBidiReactor<Request, Response>, Response>;
  struct Handlers {
    std::function<void(const Request&)> on_message;
    std::function<void()> on_done;  // called once, last
  };

  static std::shared_ptr<PulledBidi> Create() {
    std::shared_ptr<PulledBidi> stream(new PulledBidi);
    stream->self_ = stream;
    return stream;
  }

  // Starts to read. The source is asked only after the first Wake.
  void Begin(typename Base::Source source, Handlers handlers) {
    this->SetSource(std::move(source));
    handlers_ = std::move(handlers);
    this->StartRead(&incoming_);
  }

 private:
  PulledBidi() = default;
  void OnReadDone(bool ok) override {
    if (!ok) {
      this->End(grpc::Status::OK);
      return;
    }
    handlers_.on_message(incoming_);
    this->StartRead(&incoming_);
  }
  void OnCancel() override { this->End(grpc::Status::CANCELLED); }
  void OnDone() override {
    const auto self = std::move(self_);
    const Handlers handlers = std::exchange(handlers_, {});
    if (handlers.on_done) handlers.on_done();
  }

  std::shared_ptr<PulledBidi> self_;
  Request incoming_;
  Handlers handlers_;
};

// The open streams of a service, at most so many. Thread-safe.
template <typename Stream>
class StreamSet {
 public:
  explicit StreamSet(std::size_t most) : most_(most) {}

  // False when there are too many, or all were ended: then end this one, too.
  bool Add(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex_);
    if (closed_ || streams_.size() >= most_) return false;
    streams_.insert(stream);
    return true;
  }

  void Remove(const std::shared_ptr<Stream>& stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(stream);
  }

  // As Stream::Wake, for all.
  void WakeAll() {
    for (const auto& stream : Copy()) stream->Wake();
  }

  // Ends all, and all that would come later.
  void EndAll(const grpc::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    for (const auto& stream : Copy()) stream->End(status);
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
  }

 private:
  std::vector<std::shared_ptr<Stream>> Copy() const {
    const std::lock_guard lock(mutex_);
    return {streams_.begin(), streams_.end()};
  }

  const std::size_t most_;
  mutable std::mutex mutex_;
  bool closed_ = false;
  std::set<std::shared_ptr<Stream>> streams_;
};

}  // namespace radix::registry
