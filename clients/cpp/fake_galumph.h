// For tests: a galumph in this process, whose calls take as long as the test says.

#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/time.h"

namespace radix {

// Answers at once, unless held. Thread-safe.
class FakeGalumph final : public galumph::v2::Galumph::Service {
 public:
  explicit FakeGalumph(std::string inst) : inst_(std::move(inst)) {}

  // Has calls wait until Release.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() {
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }

  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  grpc::Status Register(grpc::ServerContext* context, const galumph::v2::RegisterRequest*,
                        galumph::v2::RegisterResponse* response) override {
    std::unique_lock lock(mutex_);
    response->set_count(++calls_);
    response->set_inst(inst_);
    while (held_ && !context->IsCancelled()) changed_.wait_for(lock, 5ms);
    return grpc::Status::OK;
  }

 private:
  const std::string inst_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int calls_ = 0;
};

}  // namespace radix
