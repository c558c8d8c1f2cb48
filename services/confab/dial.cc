#include "services/confab/dial.h"

#include <grpcpp/generic/generic_stub.h>

#include <cstddef>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/address.h"
#include "services/confab/identity.h"
#include "services/confab/time.h"
#include "services/confab/tls.h"

namespace radix::confab {
namespace {

// How long one attempt to connect may take, up to the server's first HTTP/2 frame. A service of
// this node that lives has accepted already, and when it dies the kernel says so: it is only slow,
// so the callers' own deadlines decide. To another node, a lost SYN is repeated after 1 s and after
// 3 s.
constexpr Duration kLocalConnectLimit = 20s;
constexpr Duration kConnectLimit = 5s;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target, Duration connect_limit,
                                           ClientInterceptors interceptors,
                                           const std::shared_ptr<grpc::ChannelCredentials>&
                                               credentials = grpc::InsecureChannelCredentials()) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kTlsName);
  // Without its own pool, a fresh channel would share the broken connection of an older one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // In spite of its name: the least that an attempt may last, not the pause before the next.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(connect_limit / 1ms));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // 0: any; quiet streams need them
  arguments.SetMaxReceiveMessageSize(16 << 20);
  return grpc::experimental::CreateCustomChannelWithInterceptors(target, credentials, arguments,
                                                                 std::move(interceptors));
}

// Answers a call in place of the network.
class RefusedCall final : public grpc::experimental::Interceptor {
 public:
  explicit RefusedCall(grpc::Status status) : status_(std::move(status)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
      *methods->GetRecvStatus() = status_;
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_MESSAGE)) {
      methods->FailHijackedRecvMessage();
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->Hijack();
    } else {
      methods->Proceed();
    }
  }

 private:
  const grpc::Status status_;
};

class RefusedCallFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit RefusedCallFactory(grpc::Status status) : status_(std::move(status)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new RefusedCall(status_);  // gRPC takes ownership
  }

 private:
  const grpc::Status status_;
};

std::shared_ptr<grpc::Channel> MakeChannelToNowhere(const grpc::Status& status) {
  ClientInterceptors interceptors;
  interceptors.push_back(std::make_unique<RefusedCallFactory>(status));
  return MakeChannel("ipv4:127.0.0.1:1", kConnectLimit, std::move(interceptors));  // never connects
}

// A channel that was called, and is never destroyed. gRPC 1.51 ends its callback threads when the
// last channel (or server) that used them goes, and aborts when one of those threads lets it go, as
// happens after any reaction.
struct Keeper {
  std::shared_ptr<grpc::Channel> channel =
      MakeChannelToNowhere({grpc::StatusCode::UNAVAILABLE, "connects to nothing"});
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub{channel};
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;

  Keeper() {
    stub.UnaryCall(&context, "/radix/Nothing", {}, &request, &response, [](grpc::Status) {});
  }
};

std::shared_ptr<grpc::Channel> Connect(const std::string& target, Duration connect_limit,
                                       ClientInterceptors interceptors,
                                       std::shared_ptr<grpc::ChannelCredentials> credentials) {
  // Not on the heap: the compiler keeps no pointer that nobody reads, and LeakSanitizer would find
  // none.
  alignas(Keeper) static std::byte place[sizeof(Keeper)];
  [[maybe_unused]] static const Keeper* const keeper = new (place) Keeper;
  return MakeChannel(target, connect_limit, std::move(interceptors), credentials);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> PlaintextFor(const Endpoint& endpoint) {
  if (endpoint.ip.is_loopback()) return grpc::InsecureChannelCredentials();
  return absl::FailedPreconditionError(
      absl::StrCat("will not call ", endpoint.ToString(),
                   " in plaintext: without an identity only loopback addresses are called"));
}

std::shared_ptr<grpc::Channel> ConnectTo(const Endpoint& endpoint, ClientInterceptors interceptors,
                                         std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return Connect((endpoint.ip.is_v4() ? "ipv4:" : "ipv6:") + endpoint.ToString(), kConnectLimit,
                 std::move(interceptors), std::move(credentials));
}

}  // namespace

std::shared_ptr<grpc::Channel> DialLocal(const Node& node, const std::string& service) {
  return Connect("unix:" + node.SocketOf(service).string(), kLocalConnectLimit, {},
                 grpc::InsecureChannelCredentials());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const Node& node, const std::string& net_id,
                                                    const std::string& service,
                                                    ClientInterceptors interceptors) {
  auto endpoint = Endpoint::Parse(net_id);
  if (!endpoint.ok()) return endpoint.status();
  auto credentials = node.identity != nullptr ? node.identity->ForChannel(*endpoint, service)
                                              : PlaintextFor(*endpoint);
  if (!credentials.ok()) return credentials.status();
  return ConnectTo(*endpoint, std::move(interceptors), *std::move(credentials));
}

void DialIntroduced(const Node& node, const Callee& to, ClientInterceptors interceptors,
                    OnDialled done) {
  if (node.identity == nullptr) {
    auto plaintext = PlaintextFor(to.endpoint);
    if (!plaintext.ok()) return done(plaintext.status());
    return done(ConnectTo(to.endpoint, std::move(interceptors), *std::move(plaintext)));
  }
  const auto kept = std::make_shared<ClientInterceptors>(std::move(interceptors));
  node.identity->Introduce(
      to, [endpoint = to.endpoint, kept, done = std::move(done)](
              absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials) {
        if (!credentials.ok()) return done(credentials.status());
        done(ConnectTo(endpoint, std::move(*kept), *std::move(credentials)));
      });
}

std::shared_ptr<grpc::Channel> DialNowhere(const grpc::Status& status) {
  return MakeChannelToNowhere(status);
}

}  // namespace radix::confab
