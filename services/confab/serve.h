// The one way to listen: every gRPC server of Radix is a confab::Server.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/acceptor.h"
#include "services/confab/call_counter.h"
#include "services/confab/lock_file.h"
#include "services/confab/node.h"
#include "services/confab/peer_budget.h"
#include "services/confab/time.h"
#include "services/confab/unix_acceptor.h"

namespace radix::confab {

// A gRPC service and the name under which its health is told.
struct HostedService {
  grpc::Service* service = nullptr;
  std::string name;  // Default: the one that its proto gives it, as "radix.reeve.v1.ReeveService".
};

// `service` with the name that its proto gives it.
inline HostedService Hosted(grpc::Service& service) { return {&service, {}}; }

// Where a server listens; at least one of the two.
struct ListenOptions {
  // The name of a Unix socket, STATE/<socket>.sock. Empty: none.
  std::string socket;
  // The group that may connect to that as well, and enter its folder; nullopt: nobody but this user
  // may. Nobody of it may change what is in the folder.
  std::optional<std::uint32_t> group = std::nullopt;
  // At most so many connections come by that socket at a time.
  std::size_t connections_max = 1024;
  // At most so many calls are open on one connection; more of a client wait there.
  std::uint32_t calls_max = 1024;
  // Whether it describes its services to whoever asks (gRPC's reflection). That takes a thread: too
  // much where a process has hundreds of servers.
  bool describes_itself = true;
  // A TCP port at the node's address; 0: a free one. nullopt: none.
  std::optional<std::uint16_t> port;
  // What is served there: the node's identity lets in who may call it.
  std::string horde;
  std::string api;
  std::string inst;
  // What callers may use up, where they have keys.
  PeerBudgetOptions budget = {};
};

// A running gRPC server with health, reflection, and limits on what a peer may use up.
//
// On TCP it speaks TLS, by the node's identity; plaintext only where it has none, and then on
// loopback addresses only.
//
// Thread-safe, but for Shutdown, after which nothing else is called.
class Server {
 public:
  // Starts serving `services`, which must outlive the server. The health of each, and of "", is
  // SERVING.
  //
  // Errors:
  // * FailedPrecondition: the address is no loopback address, and the node has no identity; or
  //   the state folder is not this user's own, or others may enter it.
  // * InvalidArgument: the socket's path is longer than 107 bytes.
  // * AlreadyExists: another process serves on that socket, or the port is in use; the message
  //   names it.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Node& node,
                                                       const ListenOptions& options,
                                                       const std::vector<HostedService>& services);

  // Cancels what still runs; see Shutdown.
  ~Server();

  // Where it listens on TCP, for example "127.88.0.2:38815"; empty without TCP.
  const std::string& net_id() const { return net_id_; }

  // What health checks are told from now on.
  void SetServing(bool serving);

  // Asks this server for its health, over no network, and calls `done` on one of gRPC's threads
  // once they have answered; `done(false)` when it was refused. While all of those threads are
  // stuck, so is this. Thread-safe.
  void CheckItself(std::function<void(bool answered)> done);

  // Waits until no call was in flight for `quiet`, for at most `limit`. Calls to health and
  // reflection do not count.
  void AwaitQuiet(Duration quiet, Duration limit);

  // Refuses new calls, lets calls in flight end for at most `grace`, cancels the rest. Returns
  // false when a call did not end even so, a second later: then the process should exit without
  // running destructors (a call that never finishes would hang grpc::Server::Shutdown for ever), or
  // call this again, which waits as long once more. The services may go once it returned true.
  bool Shutdown(Duration grace);

 private:
  Server() = default;
  void EndAccepting();

  std::shared_ptr<Identity> identity_;  // which goes on saying who may come in
  std::optional<LockFile> lock_;
  std::unique_ptr<UnixAcceptor> unix_acceptor_;  // both until it is shut down
  std::unique_ptr<Acceptor> acceptor_;           // of TLS connections
  std::shared_ptr<CallCounter> calls_;
  std::unique_ptr<grpc::Server> server_;  // null once it is being shut down
  std::future<void> ended_;               // of the shutting down
  std::shared_ptr<grpc::Channel> to_itself_;
  std::vector<std::string> names_;
  std::string net_id_;
};

}  // namespace radix::confab
