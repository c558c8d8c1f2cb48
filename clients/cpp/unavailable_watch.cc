#include "clients/cpp/unavailable_watch.h"

#include <grpcpp/grpcpp.h>

#include <utility>

namespace radix {
namespace {

using OnUnavailable = std::shared_ptr<const std::function<void()>>;

class WatchedCall final : public grpc::experimental::Interceptor {
 public:
  explicit WatchedCall(OnUnavailable on_unavailable) : on_unavailable_(std::move(on_unavailable)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS) &&
        methods->GetRecvStatus()->error_code() == grpc::StatusCode::UNAVAILABLE) {
      (*on_unavailable_)();
    }
    methods->Proceed();
  }

 private:
  const OnUnavailable on_unavailable_;
};

class WatchFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit WatchFactory(std::function<void()> on_unavailable)
      : on_unavailable_(std::make_shared<const std::function<void()>>(std::move(on_unavailable))) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new WatchedCall(on_unavailable_);  // gRPC takes ownership
  }

 private:
  const OnUnavailable on_unavailable_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeUnavailableWatch(
    std::function<void()> on_unavailable) {
  return std::make_unique<WatchFactory>(std::move(on_unavailable));
}

}  // namespace radix
