#include "clients/cpp/default_deadline.h"

#include <grpcpp/alarm.h>

#include <mutex>

#include "services/confab/clock.h"

namespace radix {
namespace {

// Shared by a call and its alarm, which may ring while the call ends.
struct Pending {
  std::mutex mutex;
  grpc::ClientContext* context = nullptr;  // nullptr: the call is over
  bool expired = false;
};

// Lives exactly as long as its call's context.
class LimitedCall final : public grpc::experimental::Interceptor {
 public:
  LimitedCall(grpc::ClientContext* context, Duration limit)
      : pending_(std::make_shared<Pending>()) {
    pending_->context = context;
    alarm_.Set(confab::WallDeadline(limit), [pending = pending_](bool rang) {
      const std::lock_guard lock(pending->mutex);
      if (!rang || pending->context == nullptr) return;
      pending->expired = true;
      pending->context->TryCancel();
    });
  }

  ~LimitedCall() override { Disarm(); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      const bool expired = Disarm();
      grpc::Status* status = methods->GetRecvStatus();
      if (expired && status->error_code() == grpc::StatusCode::CANCELLED) {
        *status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                               "no answer within the client's default deadline");
      }
    }
    methods->Proceed();
  }

 private:
  bool Disarm() {
    const std::lock_guard lock(pending_->mutex);
    pending_->context = nullptr;
    return pending_->expired;
  }

  const std::shared_ptr<Pending> pending_;
  grpc::Alarm alarm_;
};

class DefaultDeadlineFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit DefaultDeadlineFactory(Duration limit) : limit_(limit) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    if (info->type() != grpc::experimental::ClientRpcInfo::Type::UNARY) return nullptr;
    grpc::ClientContext* context = info->client_context();
    if (context->deadline() != std::chrono::system_clock::time_point::max()) return nullptr;
    return new LimitedCall(context, limit_);  // gRPC takes ownership
  }

 private:
  const Duration limit_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeDefaultDeadlineFactory(
    Duration limit) {
  return std::make_unique<DefaultDeadlineFactory>(limit);
}

}  // namespace radix
