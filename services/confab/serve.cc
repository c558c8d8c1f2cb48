#include "services/confab/serve.h"

#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/resource_quota.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "services/confab/bindable.h"
#include "services/confab/caller_noting.h"
#include "services/confab/channelz.h"
#include "services/confab/clock.h"
#include "services/confab/descriptor.h"
#include "services/confab/identity.h"
#include "services/confab/refused_calls.h"

namespace radix::confab {
namespace {

// Makes the folder when it is missing, and sees that only this user may enter it: that is what
// guards the sockets in it.
absl::Status CheckStateFolder(const std::filesystem::path& state) {
  const std::string name = state.string();
  if (mkdir(name.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": ", std::strerror(errno)));
  }
  struct stat info {};
  if (stat(name.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": is no folder"));
  }
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": must belong to this user, with mode 0700"));
  }
  return absl::OkStatus();
}

// Makes the folder when it is missing, and lets `group` enter it, but neither list nor change it:
// so no path in it is one that others could have put there.
absl::Status OpenToGroup(const std::filesystem::path& folder, gid_t group) {
  const std::string name = folder.string();
  if (mkdir(name.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": ", std::strerror(errno)));
  }
  const Descriptor opened(open(name.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!opened || fstat(opened.get(), &info) != 0 || info.st_uid != geteuid() ||
      fchown(opened.get(), static_cast<uid_t>(-1), group) != 0 || fchmod(opened.get(), 0710) != 0) {
    const int error = opened && info.st_uid != geteuid() ? EPERM : errno;
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": cannot be opened to group ", group, ": ", std::strerror(error)));
  }
  return absl::OkStatus();
}

// As far as it goes. At its limit gRPC closes what it listens on, and never opens it again: by
// default that were a thousand connections.
void RaiseOpenFilesLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void SetTimes(grpc::ServerBuilder& builder) {
  // A handshake takes some milliseconds, and a few times the way to the peer.
  builder.AddChannelArgument("grpc.server_handshake_timeout_ms", 3000);
  // A peer that is gone, or stands still, is noticed within 15 s.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Peers ping every 10 s as well (dial.cc). Who does it more often than this, with nothing sent to
  // it in between, is disconnected at the third time (gRPC's default of strikes).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  // A connection on which nothing happens takes 0.1 MB. Clients connect again when they call.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300000);
}

// gRPC keeps to the limits of streams and headers only when a peer has acknowledged them, and to
// that of headers in each frame alone: guard.h has the rest.
void SetSizes(const ListenOptions& options, grpc::ServerBuilder& builder) {
  // A call takes 13 KB until it is answered.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.calls_max));
  // Names and values of a call. gRPC's default; nothing of ours needs 1 KiB.
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  // The largest that is sent to a server is the group's document, 2 MiB. gRPC's default.
  builder.SetMaxReceiveMessageSize(4 << 20);
  // 16 KiB can be a message of 16 MiB. Nothing of ours is sent so.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  // All messages that are under way, of all peers; what is more is reset.
  grpc::ResourceQuota quota;
  quota.Resize(64 << 20);
  builder.SetResourceQuota(quota);
  // Windows of a fixed size, what a peer may send ahead on one stream: with those that it sizes
  // itself, gRPC 1.51 now and then resets a stream (PROTOCOL_ERROR), presumably where memory ran
  // short and a window had become smaller.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 512 << 10);
  // What is read at once is done in one go, however many calls begin in it: 2,000 at most; with
  // gRPC's default of 4 MiB 250,000.
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, 32 << 10);
}

// Notes the names of a server's services, which only a plugin is told.
class ServiceNames final : public grpc::ServerBuilderOption, public grpc::ServerBuilderPlugin {
 public:
  // Fills `names` while the server is started.
  explicit ServiceNames(std::vector<std::string>& names) : names_(names) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<ServiceNames>(names_));
  }

  std::string name() override { return "radix_service_names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* server) override {
    for (const std::string& each : *server->GetServiceList()) {
      if (!each.starts_with("grpc.")) names_.push_back(each);
    }
  }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  std::vector<std::string>& names_;
};

void EnableHealthAndReflection() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    // gRPC serves health without knowing its description, which reflection is asked for.
    grpc::health::v1::HealthCheckRequest::descriptor();
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

// Leaves reflection out of a server: it is the one of its services that is not of the callback API.
class NoReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins,
                  [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// Leaves in `lock` what keeps others from that path.
absl::StatusOr<std::unique_ptr<UnixAcceptor>> ListenLocally(const Node& node,
                                                            const ListenOptions& options,
                                                            std::optional<LockFile>& lock) {
  const auto path = node.SocketOf(options.socket);
  if (path.string().size() > kSocketPathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": is longer than ",
                                                   kSocketPathBytesMax,
                                                   " bytes; choose a shorter state folder"));
  }
  auto guarded =
      options.group ? OpenToGroup(node.state, *options.group) : CheckStateFolder(node.state);
  if (!guarded.ok()) return guarded;
  auto taken = LockFile::Take(node.state / (options.socket + ".lock"));
  if (!taken.ok()) return taken.status();
  lock = *std::move(taken);
  return UnixAcceptor::Listen(path, options.connections_max, options.group);
}

// The port that it gets is in `port` once the server has started.
absl::Status AddPlaintext(const Endpoint& local, grpc::ServerBuilder& builder, int& port) {
  if (!local.ip.is_loopback()) {
    return absl::FailedPreconditionError(
        absl::StrCat("will not serve plaintext on ", local.ip.ToString(),
                     ": without an identity only loopback addresses are served"));
  }
  // gRPC does not say why it could not bind.
  if (auto free = CheckBindable(Transport::kTcp, local); !free.ok()) return free;
  builder.AddListeningPort(local.ToString(), grpc::InsecureServerCredentials(), &port);
  return absl::OkStatus();
}

// Has gRPC take what an acceptor hands on.
UnixAcceptor::Hand HandTo(const std::shared_ptr<grpc::ServerCredentials>& credentials,
                          grpc::ServerBuilder& builder) {
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> server =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  return [server](int listener, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener;
    parameters.fd = connection;
    server->HandleNewConnection(&parameters);
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Node& node,
                                                      const ListenOptions& options,
                                                      const std::vector<HostedService>& services) {
  EnableHealthAndReflection();
  RaiseOpenFilesLimit();
  std::unique_ptr<Server> server(new Server);
  server->identity_ = node.identity;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  SetTimes(builder);
  SetSizes(options, builder);
  UnixAcceptor::Hand unix_hand;
  if (!options.socket.empty()) {
    auto acceptor = ListenLocally(node, options, server->lock_);
    if (!acceptor.ok()) return acceptor.status();
    server->unix_acceptor_ = *std::move(acceptor);
    unix_hand = HandTo(grpc::InsecureServerCredentials(), builder);
  }
  int port = 0;
  Acceptor::Hand hand;
  if (options.port) {
    const Endpoint local{node.address, *options.port};
    if (node.identity == nullptr) {
      if (auto added = AddPlaintext(local, builder, port); !added.ok()) return added;
    } else {
      auto acceptor = Acceptor::Listen(local, {.budget = options.budget});
      if (!acceptor.ok()) return acceptor.status();
      server->acceptor_ = *std::move(acceptor);
      port = server->acceptor_->endpoint().port;
      auto credentials = node.identity->ForServer({.endpoint = server->acceptor_->endpoint(),
                                                   .horde = options.horde,
                                                   .api = options.api,
                                                   .inst = options.inst},
                                                  server->acceptor_->connections());
      if (!credentials.ok()) return credentials.status();
      hand = HandTo(*credentials, builder);
    }
  }
  for (const HostedService& hosted : services) {
    if (server->acceptor_ != nullptr) RefuseCallsOf(*hosted.service);
    builder.RegisterService(hosted.service);
    if (!hosted.name.empty()) server->names_.push_back(hosted.name);
  }
  builder.SetOption(std::make_unique<ServiceNames>(server->names_));
  if (!options.describes_itself) builder.SetOption(std::make_unique<NoReflection>());
  server->calls_ = std::make_shared<CallCounter>();
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MakeCallCountingFactory(server->calls_));
  if (server->acceptor_ != nullptr) {
    interceptors.push_back(MakeCallerNotingFactory(server->acceptor_->connections()));
  }
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  auto [started, channelz] = Channelz::Start(builder);
  server->server_ = std::move(started);
  if (server->server_ == nullptr || (options.port && port == 0)) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen on ", node.address.ToString(), ":", options.port.value_or(0)));
  }
  if (options.port) {
    server->net_id_ = Endpoint{node.address, static_cast<std::uint16_t>(port)}.ToString();
  }
  if (unix_hand) server->unix_acceptor_->Begin(std::move(unix_hand));
  if (hand) server->acceptor_->Begin(std::move(hand), std::move(channelz));
  server->to_itself_ = server->server_->InProcessChannel({});
  server->SetServing(true);
  return server;
}

Server::~Server() {
  if (server_ != nullptr) Shutdown(0s);
  EndAccepting();
}

void Server::EndAccepting() {
  unix_acceptor_.reset();
  if (acceptor_ == nullptr) return;
  const auto connections = acceptor_->connections();
  acceptor_.reset();
  identity_->HandleServerEnd(connections);
}

void Server::SetServing(bool serving) {
  auto* health = server_->GetHealthCheckService();
  health->SetServingStatus(serving);  // of "" and of all that were named so far
  for (const std::string& name : names_) health->SetServingStatus(name, serving);
}

void Server::CheckItself(std::function<void(bool answered)> done) {
  struct Check {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
  };
  const auto check = std::make_shared<Check>();
  const auto stub = grpc::health::v1::Health::NewStub(to_itself_);
  stub->async()->Check(
      &check->context, &check->request, &check->response,
      [check, done = std::move(done)](const grpc::Status& status) { done(status.ok()); });
}

void Server::AwaitQuiet(Duration quiet, Duration limit) { calls_->AwaitQuiet(quiet, limit); }

bool Server::Shutdown(Duration grace) {
  EndAccepting();
  to_itself_.reset();
  if (server_ != nullptr) {
    std::promise<void> done;
    ended_ = done.get_future();
    // In a thread of its own, because it waits for reactions that may never come.
    std::thread([server = std::move(server_), deadline = WallDeadline(grace),
                 done = std::move(done)]() mutable {
      server->Shutdown(deadline);
      server.reset();
      done.set_value();
    }).detach();
  }
  return ended_.wait_for(grace + 1s) == std::future_status::ready;
}

}  // namespace radix::confab
