// Looks at the connections on which something comes, and ends those of peers that use up more of
// the server than they may (peer_budget.h).
//
// gRPC 1.51 does not: one peer that opens calls and gives them up at once leaves nothing of a
// server, and one that continues a header for ever leaves nothing of its memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/confab/connections.h"
#include "services/confab/peer_budget.h"
#include "services/confab/places.h"
#include "services/confab/shown.h"
#include "services/confab/sparing_log.h"
#include "services/confab/time.h"
#include "services/confab/traffic_ledger.h"

namespace radix::confab {

// What gRPC knows of a server's connections.
class Transports {
 public:
  virtual ~Transports() = default;

  // Those that were let in since the last time.
  struct LetIn {
    std::int64_t handle = 0;  // another one for each
    std::string peer;         // as gRPC names it
    std::optional<Shown> shown;
  };
  virtual std::vector<LetIn> TakeLetIn() = 0;

  // Puts in how many streams there were. False: it has ended.
  virtual bool Count(std::int64_t handle, Traffic& traffic) = 0;
};

// Used from one thread, the acceptor's.
class FloodGuard {
 public:
  FloodGuard(std::shared_ptr<Connections> connections, std::unique_ptr<Transports> transports)
      : connections_(std::move(connections)), transports_(std::move(transports)) {}

  // gRPC gets a connection: `socket` stays open until Remove.
  void Add(std::uint64_t id, const std::string& peer, const std::string& host, int socket,
           std::shared_ptr<const MessageTally> tally, Instant now);
  // Of those on which nobody was let in yet: see Places.
  std::optional<Places::Place> MostCrowdingStranger();

  // It has ended. `known`: somebody was let in, and has called.
  void Remove(std::uint64_t id, bool known);

  // Something came on it: it is looked at until nothing does.
  void HandleBusy(std::uint64_t id, Instant now);

  // When Look is due; nullopt: when something comes.
  std::optional<Instant> next_look() const;

  // Looks at those that are busy, and ends connections. Returns those on which nothing comes any
  // more.
  std::vector<std::uint64_t> Look(Instant now);

 private:
  struct Watched {
    std::string peer;
    std::string host;
    int socket = -1;
    std::shared_ptr<const MessageTally> tally;
    std::optional<std::int64_t> handle;  // once somebody was let in
    std::optional<KeyId> key;
    TrafficLedger ledger;
    std::uint64_t compared = 0;  // the bytes that had come when the ledger had them last
    Instant compared_at;
    bool ended = false;  // by this class; gRPC is about to notice
  };

  void TakeLetIn();
  bool LookAt(Watched& watched, Instant now);
  static bool ReadBytes(const Watched& watched, Traffic& traffic);
  void Compare(Watched& watched);
  void End(const Watched& watched, const Excess& excess);

  const std::shared_ptr<Connections> connections_;
  const std::unique_ptr<Transports> transports_;
  std::map<std::uint64_t, Watched> watched_;
  std::map<std::string, std::uint64_t> strangers_;  // on which nobody was let in yet, by peer
  Places places_of_strangers_;
  std::set<std::uint64_t> busy_;
  Instant next_look_;
  SparingLog log_{"were ended"};
};

}  // namespace radix::confab
