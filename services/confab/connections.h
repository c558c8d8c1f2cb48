// The connections that a server has, who is at their other ends, and what these may use up.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "services/confab/descriptor.h"
#include "services/confab/peer_budget.h"
#include "services/confab/shown.h"
#include "services/confab/sparing_log.h"
#include "services/confab/traffic_ledger.h"

namespace radix::confab {

// The messages that came on a connection.
struct MessageTally {
  std::atomic<std::uint64_t> messages = 0;
  std::atomic<std::uint64_t> bytes = 0;
  std::atomic<bool> ended = false;  // by us: its calls that gRPC has yet to run are refused
};

// gRPC 1.51 ends a connection only by its own will. So of each one that it gets there is a second
// descriptor here, by which it is ended when its key is not to be believed any more.
// Thread-safe.
class Connections {
 public:
  explicit Connections(const PeerBudgetOptions& options = {}) : budget_(options) {}

  // `peer` as gRPC names it, for example "ipv4:10.0.0.1:4242". `id` is another one for each
  // connection, and `again` a duplicate of its descriptor. Returns where its messages are counted.
  std::shared_ptr<const MessageTally> Add(const std::string& peer, std::uint64_t id,
                                          Descriptor again);
  // That one has ended. Returns whether it was known by then what it showed.
  bool Remove(const std::string& peer, std::uint64_t id);

  // Ends it, where it is still that one. What gRPC has read of it is refused call by call.
  void End(const std::string& peer, std::uint64_t id);

  // `peer` makes a call. `read` says what it showed, and is asked only while that is not known: to
  // read a certificate takes 0.1 ms. Returns where its messages are to be counted, and whether it
  // was ended; null for what is no TCP connection.
  std::shared_ptr<MessageTally> HandleCall(const std::string& peer,
                                           const std::function<std::optional<Shown>()>& read);

  // `peer` was let in, and showed this.
  void HandleLetIn(const std::string& peer, const Shown& shown);

  // Those of which nobody knows yet what they showed.
  enum class Silent : std::uint8_t {
    kEnd,    // they may come back
    kCheck,  // as soon as it is known: where nobody lost a right, but gave it up
  };
  // Ends those that `may_stay` does not believe any more, and asks it again about those of
  // which that becomes known later. Returns how many it ended.
  using MayStay = std::function<bool(const Shown&)>;
  std::size_t Recheck(MayStay may_stay, Silent silent = Silent::kEnd);

  std::size_t size() const;

  // The budget of its peers: see peer_budget.h. Who is refused is named in the log.
  enum class Admission : std::uint8_t { kAdmitted, kLater, kRefused };
  bool HearsHost(const std::string& host);
  Admission AdmitHost(const std::string& host);  // kLater: nothing was logged
  bool KnowsHost(const std::string& host);
  bool AdmitsKey(const KeyId& key);
  void NoStranger(const std::string& host);
  std::optional<Excess> Charge(const Peer& peer, Use use, double amount);
  void HandleEnd(const Peer& peer, const TrafficLedger& ledger);

 private:
  struct Connection {
    std::uint64_t id = 0;
    Descriptor again;
    std::shared_ptr<MessageTally> tally;
    std::optional<Shown> shown;  // nullopt until it is known
  };

  static void EndIt(const Connection& connection);
  void EndUnlessItMayStay(const Connection& connection);
  absl::Status Ask(const std::string& who, const std::function<absl::Status()>& ask);

  mutable std::mutex mutex_;
  MayStay may_stay_;  // empty before the first Recheck
  std::map<std::string, Connection, std::less<>> connections_;
  std::mutex budget_mutex_;
  PeerBudget budget_;
  SparingLog refusals_{"were refused"};
};

}  // namespace radix::confab
