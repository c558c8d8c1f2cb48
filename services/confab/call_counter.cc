#include "services/confab/call_counter.h"

#include <string_view>
#include <utility>

#include "services/confab/clock.h"

namespace radix::confab {
namespace {

// Lives exactly as long as its call.
class CountedCall final : public grpc::experimental::Interceptor {
 public:
  explicit CountedCall(std::shared_ptr<CallCounter> counter) : counter_(std::move(counter)) {
    counter_->Begin();
  }
  ~CountedCall() override { counter_->End(); }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  const std::shared_ptr<CallCounter> counter_;
};

class CountedCallFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CountedCallFactory(std::shared_ptr<CallCounter> counter)
      : counter_(std::move(counter)) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    if (std::string_view(info->method()).starts_with("/grpc.")) return nullptr;
    return new CountedCall(counter_);  // gRPC takes ownership
  }

 private:
  const std::shared_ptr<CallCounter> counter_;
};

}  // namespace

void CallCounter::Begin() {
  const std::lock_guard lock(mutex_);
  ++in_flight_;
  ++begun_;
  changed_.notify_all();  // nobody waits but in a drain
}

void CallCounter::End() {
  const std::lock_guard lock(mutex_);
  if (--in_flight_ == 0) changed_.notify_all();
}

bool CallCounter::AwaitQuiet(Duration quiet, Duration limit) {
  const Instant deadline = Now() + limit;
  std::unique_lock lock(mutex_);
  while (Now() < deadline) {
    if (!changed_.wait_for(lock, deadline - Now(), [this] { return in_flight_ == 0; })) break;
    const std::size_t seen = begun_;
    changed_.wait_for(lock, std::min(quiet, deadline - Now()), [&] { return begun_ != seen; });
    if (begun_ == seen) return Now() < deadline;
  }
  return false;
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallCountingFactory(
    std::shared_ptr<CallCounter> counter) {
  return std::make_unique<CountedCallFactory>(std::move(counter));
}

}  // namespace radix::confab
