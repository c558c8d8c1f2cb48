#include "services/confab/dial.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/address.h"

namespace radix::confab {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  // Without its own pool, a fresh channel would share the broken connection of an older one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // also the connect time-out
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> DialLocal(const Node& node, const std::string& service) {
  return Connect("unix:" + node.SocketOf(service).string());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(const std::string& net_id) {
  auto endpoint = Endpoint::Parse(net_id);
  if (!endpoint.ok()) return endpoint.status();
  if (!endpoint->ip.is_loopback()) {
    return absl::FailedPreconditionError(
        absl::StrCat("will not call ", net_id,
                     " in plaintext: only loopback addresses, until connections are encrypted"));
  }
  return Connect((endpoint->ip.is_v4() ? "ipv4:" : "ipv6:") + endpoint->ToString());
}

}  // namespace radix::confab
