// Accepts a server's TCP connections in gRPC's stead.
//
// gRPC 1.51 takes whatever comes, as much as comes, and at the limit of open files it closes its
// listening socket for good. Here a peer has to say a ClientHello that offers TLS 1.3 before gRPC
// hears of it, and only so many may be silent at a time.
//
// Whoever comes from a host that takes little of it gets in, however much others take: where there
// is no place left, the host that has most of them makes room, and for handshakes each host has its
// turn.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/confab/connections.h"
#include "services/confab/descriptor.h"
#include "services/confab/flood_guard.h"
#include "services/confab/peer_budget.h"
#include "services/confab/places.h"
#include "services/confab/sparing_log.h"
#include "services/confab/time.h"
#include "services/confab/waiting_line.h"

namespace radix::confab {

struct AcceptorOptions {
  // That gRPC has. For another one somebody makes room on whose connection nobody was let in yet;
  // if there is no such one, it is closed at once. One on which nothing happens takes 0.1 MB.
  std::size_t connections_max = 1024;
  // That have not said their ClientHello yet, or wait for their turn. For another one the host that
  // has most of them loses the oldest one of its. Requires: > 0.
  std::size_t silent_max = 1024;
  std::size_t silent_per_host_max = 256;  // then it is its own host that makes room
  Duration silence_max = 3s;
  PeerBudgetOptions budget = {};
};

// Listens with a thread of its own, from Begin until it is destroyed. Thread-safe, but for its
// beginning and its end.
class Acceptor {
 public:
  // Gives a connection to gRPC. `listener` is only its name.
  using Hand = std::function<void(int listener, int connection)>;

  // Port 0: a free one. AlreadyExists: the port is in use; FailedPrecondition, with the system's
  // message: it cannot be had.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(const Endpoint& endpoint,
                                                          const AcceptorOptions& options = {});
  // Ends the listening; connections that gRPC has go on.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Until then whoever connects waits. `transports` are those of who gets the connections; null: no
  // guard looks at them.
  void Begin(Hand hand, std::unique_ptr<Transports> transports = nullptr);

  // Where it listens.
  const Endpoint& endpoint() const { return endpoint_; }

  // Those that gRPC has.
  const std::shared_ptr<Connections>& connections() const { return connections_; }

 private:
  // Who has connected and not said hello, or waits for its turn.
  struct Silent {
    Descriptor socket;
    std::string host;
    std::string peer;
    Instant until;
    bool waits = false;
  };

  Acceptor(const Endpoint& endpoint, const AcceptorOptions& options, Descriptor listener,
           Descriptor poll, Descriptor stop);
  void Run();
  void AcceptAll();
  bool AcceptOne();
  void MakeRoomBeside(const std::string& host);
  void EndForAnother(const Places::Place& place, const std::string& why);
  void BeDeaf(Duration length);
  void Watch(int fd, std::uint64_t id, std::uint32_t events) const;
  void HandleEvent(std::uint64_t id, std::uint32_t events);
  void LookAround(Instant now);
  int MillisecondsToNext(Instant now) const;
  void Hear(std::uint64_t id, Silent& silent);
  bool Admit(std::uint64_t id, Silent& silent);
  void GiveTurns(Instant now);
  void HandOn(Silent& silent);
  bool HasRoomToHandOn(const std::string& host);
  void Drop(std::uint64_t id);
  void Forget(std::uint64_t id);
  void EndTheSilent(Instant now);

  const Endpoint endpoint_;
  const AcceptorOptions options_;
  const Descriptor listener_;
  const Descriptor poll_;
  const Descriptor stop_;
  Hand hand_;
  // Of the thread.
  std::uint64_t last_id_;
  std::map<std::uint64_t, Silent> silent_;  // oldest first
  Places places_;                           // theirs
  WaitingLine line_;                        // of those that said hello
  Instant next_turn_;
  // That gRPC has.
  struct Handed {
    std::string peer;
    int socket = -1;  // the second descriptor, which connections_ keeps
  };
  std::map<std::uint64_t, Handed> handed_;
  bool refused_ = false;  // somebody was, or made room for another, in this turn
  bool deaf_ = false;     // until then
  Instant resume_at_;
  const std::shared_ptr<Connections> connections_;
  std::unique_ptr<FloodGuard> guard_;
  // One for each kind, so that none is drowned by another.
  SparingLog refusals_{"were refused"};
  SparingLog displacements_{"made room for others"};
  SparingLog silences_{"were ended because they said no ClientHello"};
  std::thread thread_;
};

}  // namespace radix::confab
