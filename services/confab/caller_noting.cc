#include "services/confab/caller_noting.h"

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "services/confab/caller.h"
#include "services/confab/message_size.h"
#include "services/confab/refused_calls.h"

namespace radix::confab {
namespace {

using grpc::experimental::InterceptionHookPoints;

// Lives as long as its call.
class NotedCall final : public grpc::experimental::Interceptor {
 public:
  NotedCall(std::shared_ptr<MessageTally> tally, const MessageSize& size)
      : tally_(std::move(tally)), size_(size) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE)) {
      if (const void* message = methods->GetRecvMessage(); message != nullptr) {
        tally_->bytes += size_.Of(message);
        ++tally_->messages;
      }
    }
    methods->Proceed();
  }

 private:
  const std::shared_ptr<MessageTally> tally_;
  const MessageSize& size_;
};

class CallerNotingFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallerNotingFactory(std::shared_ptr<Connections> connections)
      : connections_(std::move(connections)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    grpc::ServerContextBase& context = *info->server_context();
    auto tally = connections_->HandleCall(context.peer(), [&] { return ShownBy(context); });
    BeginCall(context, tally.get());
    // Its handler does not run; for one that is not of the callback API this is all there is.
    if (tally != nullptr && tally->ended) context.TryCancel();
    // gRPC's own services take small messages, and have types of their own for them.
    if (tally == nullptr || std::string_view(info->method()).starts_with("/grpc.")) return nullptr;
    return new NotedCall(std::move(tally), SizeOf(info->method()));  // gRPC takes ownership
  }

 private:
  // Callers name methods that do not exist, too: of these nothing is kept.
  const MessageSize& SizeOf(const char* method) {
    static const MessageSize unknown;
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(std::string_view(method));
    if (found != sizes_.end()) return found->second;
    const auto made = MessageSize::Find(method);
    return made ? sizes_.emplace(method, *made).first->second : unknown;
  }

  const std::shared_ptr<Connections> connections_;
  std::mutex mutex_;
  std::map<std::string, MessageSize, std::less<>> sizes_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallerNotingFactory(
    std::shared_ptr<Connections> connections) {
  return std::make_unique<CallerNotingFactory>(std::move(connections));
}

}  // namespace radix::confab
