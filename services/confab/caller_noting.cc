#include "services/confab/caller_noting.h"

#include <utility>

#include "services/confab/caller.h"

namespace radix::confab {
namespace {

class CallerNotingFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallerNotingFactory(std::shared_ptr<Connections> connections)
      : connections_(std::move(connections)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    grpc::ServerContextBase& context = *info->server_context();
    connections_->HandleCall(context.peer(), [&] { return ShownBy(context); });
    return nullptr;  // the call itself is none of its business
  }

 private:
  const std::shared_ptr<Connections> connections_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerNotingFactory(
    std::shared_ptr<Connections> connections) {
  return std::make_unique<CallerNotingFactory>(std::move(connections));
}

}  // namespace radix::confab
