#include "services/confab/refused_calls.h"

#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>

#include <memory>
#include <utility>
#include <vector>

namespace radix::confab {
namespace {

using grpc::internal::MethodHandler;
using grpc::internal::RpcServiceMethod;
using Methods = std::vector<std::unique_ptr<RpcServiceMethod>>;

// What began last on this thread. Its interceptors do not wait, so it is what runs next.
struct Begun {
  const grpc::ServerContextBase* context = nullptr;
  const MessageTally* tally = nullptr;
};
thread_local Begun begun;

class Refusing final : public MethodHandler {
 public:
  explicit Refusing(std::unique_ptr<RpcServiceMethod> method) : method_(std::move(method)) {}

  void RunHandler(const HandlerParameter& call) override {
    const Begun last = std::exchange(begun, {});
    const bool refused =
        last.context == call.server_context && last.tally != nullptr && last.tally->ended;
    if (!refused) return method_->handler()->RunHandler(call);
    // As if its request could not be read: all that frees a call is done, and nothing of ours.
    method_->handler()->RunHandler(
        {call.call, call.server_context, call.request,
         grpc::Status(grpc::StatusCode::UNAVAILABLE, "its connection was ended"),
         call.internal_data, call.call_requester});
  }

  void* Deserialize(grpc_call* call, grpc_byte_buffer* request, grpc::Status* status,
                    void** data) override {
    return method_->handler()->Deserialize(call, request, status, data);
  }

 private:
  const std::unique_ptr<RpcServiceMethod> method_;
};

// grpc::Service shows its methods to nobody. What is named in an explicit instantiation is not
// checked for access, and so a friend can be given the way to them.
template <Methods grpc::Service::*member>
struct Opened {
  friend Methods& MethodsOf(grpc::Service& service) { return service.*member; }
};
Methods& MethodsOf(grpc::Service& service);
template struct Opened<&grpc::Service::methods_>;

}  // namespace

void RefuseCallsOf(grpc::Service& service) {
  for (std::unique_ptr<RpcServiceMethod>& method : MethodsOf(service)) {
    if (method == nullptr || method->api_type() != RpcServiceMethod::ApiType::CALL_BACK) continue;
    if (dynamic_cast<const Refusing*>(method->handler()) != nullptr) continue;
    const char* const name = method->name();
    const auto type = method->method_type();
    method = std::make_unique<RpcServiceMethod>(name, type, new Refusing(std::move(method)));
    method->SetServerApiType(RpcServiceMethod::ApiType::CALL_BACK);
  }
}

void BeginCall(const grpc::ServerContextBase& context, const MessageTally* tally) {
  begun = {&context, tally};
}

}  // namespace radix::confab
