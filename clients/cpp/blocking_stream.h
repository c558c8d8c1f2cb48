// Streams for callers who wait: one message at a time, so that a slow reader or disk slows down the
// other side instead of filling memory.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "services/confab/time.h"

namespace radix {

// Reads a server-streaming call:
//
//   BlockingReader<GetResponse> reader;
//   stub->async()->Get(&reader.context(), &request, &reader);
//   reader.Begin();
//   while (reader.Next(response, 10s)) ...
//   grpc::Status status = reader.End();
//
// End must be called before it is destroyed. For one thread, and never one of gRPC's own; only
// Cancel may come from another.
template <typename Response>
class BlockingReader final : public grpc::ClientReadReactor<Response> {
 public:
  // For metadata and the deadline, before the call is made.
  grpc::ClientContext& context() { return context_; }

  // Starts the call. Call once.
  void Begin() {
    this->AddHold();  // for the reads, which come from outside of reactions
    this->StartCall();
  }

  // Waits for the next message, at most `timeout`; after that the call is cancelled. False when
  // there is none; End says why.
  bool Next(Response& message, Duration timeout) {
    std::unique_lock lock(mutex_);
    if (over_) return false;
    read_ = Read::kPending;
    this->StartRead(&message);
    if (!changed_.wait_for(lock, timeout, [this] { return read_ != Read::kPending; })) {
      timed_out_ = true;
      context_.TryCancel();
      changed_.wait(lock, [this] { return read_ != Read::kPending; });
    }
    over_ = read_ == Read::kNone || timed_out_;
    return !over_;
  }

  // Ends the call, cancelling what was not read, and waits for its status. Call once.
  grpc::Status End() {
    std::unique_lock lock(mutex_);
    if (!over_) context_.TryCancel();
    lock.unlock();
    this->RemoveHold();
    lock.lock();
    changed_.wait(lock, [this] { return done_; });
    if (timed_out_) return {grpc::StatusCode::DEADLINE_EXCEEDED, "nothing came for too long"};
    return status_;
  }

  // Ends the call from another thread: Next returns false soon.
  void Cancel() { context_.TryCancel(); }

 private:
  enum class Read { kPending, kMessage, kNone };

  void OnReadDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    read_ = ok ? Read::kMessage : Read::kNone;
    changed_.notify_all();
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    done_ = true;
    changed_.notify_all();  // under the lock: when it is released, this object may go
  }

  grpc::ClientContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Read read_ = Read::kNone;
  bool over_ = false;
  bool timed_out_ = false;
  bool done_ = false;
  grpc::Status status_;
};

// Writes a client-streaming call; used in the same way, under the same rules.
template <typename Request>
class BlockingWriter final : public grpc::ClientWriteReactor<Request> {
 public:
  grpc::ClientContext& context() { return context_; }

  void Begin() {
    this->AddHold();
    this->StartCall();
  }

  // Sends a message and waits until the next may be sent; the call's deadline bounds that. False
  // when the call is over; End says why.
  bool Write(const Request& message) {
    std::unique_lock lock(mutex_);
    write_ = Written::kPending;
    this->StartWrite(&message);
    changed_.wait(lock, [this] { return write_ != Written::kPending; });
    return write_ == Written::kSent;
  }

  // Says that no more will come and waits for the answer. Call once.
  grpc::Status End() {
    this->StartWritesDone();
    this->RemoveHold();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
    return status_;
  }

  // Ends the call: End returns CANCELLED, and the server knows that the stream was not complete.
  void Cancel() { context_.TryCancel(); }

 private:
  enum class Written { kPending, kSent, kFailed };

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    write_ = ok ? Written::kSent : Written::kFailed;
    changed_.notify_all();
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    done_ = true;
    changed_.notify_all();
  }

  grpc::ClientContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Written write_ = Written::kSent;
  bool done_ = false;
  grpc::Status status_;
};

}  // namespace radix
