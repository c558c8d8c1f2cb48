// How much of a server one peer may use up, and how long who used more stays out.
//
// A core: it ends no connection and knows no clock. What a connection used is read off its counters
// by traffic_ledger.h.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "services/confab/address.h"
#include "services/confab/key_id.h"
#include "services/confab/time.h"

namespace radix::confab {

// What is used up.
enum class Use : std::uint8_t {
  kConnections,  // that it made, up to a handshake
  kStrangers,    // of these those on which nobody was let in, or not yet
  kResets,       // calls that ended without an answer
  kStreams,      // calls that are open: goes down again
  kStray,        // bytes that were no part of a call or a message: goes down again
};

// `most` at once, of which so much is given back each second. most == 0: any amount.
struct Allowance {
  double most = 0;
  double per_second = 0;
};

// One for each Use, in their order.
using Allowances = std::array<Allowance, 5>;

// What is allowed. Of a server's processor (one of 2.1 GHz, measured) a handshake takes 2 ms, and a
// call that is opened and given up 0.15 ms; of its memory a call that is open takes 13 KB.
struct PeerBudgetOptions {
  // A client connects once, a command each time that it runs. A thousand calls that are given up at
  // once are those of a client whose server stood still.
  Allowances key = {{{256, 32}, {}, {1000, 200}, {2048, 0}, {80 << 20, 1 << 20}}};
  // All nodes of a lab are one host, as are those of one IPv6 network; and who has a node's key can
  // make itself new keys.
  Allowances host = {{{512, 64}, {64, 4}, {2000, 400}, {6144, 0}, {80 << 20, 1 << 20}}};
  // What the server has for all of them. Messages that are under way are stray bytes until they are
  // whole, and gRPC holds at most 64 MiB of them (serve.cc).
  Allowances all = {{{1024, 128}, {}, {4000, 1000}, {8192, 0}, {96 << 20, 2 << 20}}};
  // The part of all connections that is kept for hosts of which somebody was let in before.
  double for_known = 0.25;
  // Whether the host that has most places makes room where there is none left (acceptor.h); if not,
  // the newcomer goes, which is only good to measure what this is for.
  bool crowds_make_room = true;
  // Who is shut out is so for `first_bar`, and the next time for twice as long as the last time,
  // until it was good for `forgiven_after`. Requires: 0 < first_bar <= most_bar < forgiven_after.
  Duration first_bar = 1s;
  Duration most_bar = 60s;
  Duration forgiven_after = 600s;
  // Keys and hosts that are remembered, at most; those longest unheard of go first: of all that are
  // not shut out, and rather strangers than hosts of which somebody was let in. Requires: > 1.
  std::size_t accounts_max = 4096;
};

// What an address counts as: an IPv4 address as itself, an IPv6 one as its network, of 64 bits, of
// which whoever has one address has all.
std::string HostOf(const IpAddress& address);

// Who uses: where it comes from, and its key, once that was let in.
struct Peer {
  std::string host;
  std::optional<KeyId> key;
};

// More than was allowed.
struct Excess {
  enum class Whose : std::uint8_t { kKey, kHost, kAll };

  Whose whose = Whose::kAll;  // the narrowest
  Use use = Use::kConnections;
  Allowance allowance;
  Duration barred{};  // for how long the key, or host, is shut out; zero: not at all

  // For people, for example "calls without an answer: more than 1000 at once and 200 a second of
  // one key; shut out for 1 s".
  std::string ToString() const;
};

// Not thread-safe.
class PeerBudget {
 public:
  explicit PeerBudget(const PeerBudgetOptions& options = {}) : options_(options) {}

  // Somebody connects. ResourceExhausted, with the reason: it is to be ended at once.
  absl::Status HearHost(const std::string& host, Instant now) const;
  // It begins a handshake, and is a stranger until let in. Errors: the same; Unavailable, with the
  // reason, when all together have too many: it was charged with nothing, and may ask again.
  absl::Status AdmitHost(const std::string& host, Instant now);
  void HandleLetIn(const std::string& host, Instant now);

  // Whether somebody of it was let in, as far as is remembered.
  bool Knows(const std::string& host) const;

  // A key that would be let in proved itself in a handshake. ResourceExhausted, with the reason: it
  // is to be refused.
  absl::Status AdmitKey(const KeyId& key, Instant now);

  // `peer` used so much; gave it back, where `amount` is negative. When there is an excess, the
  // peer's connections are to be ended.
  std::optional<Excess> Charge(const Peer& peer, Use use, double amount, Instant now);

  // A connection ended that had so many calls open, and was charged with so many stray bytes. The
  // server has room for these again; from its key and host only time takes them.
  void HandleEnd(const Peer& peer, double streams, double stray, Instant now);

  // Whether it is shut out.
  bool IsBarred(const KeyId& key, Instant now) const;

  std::size_t accounts() const { return accounts_.size(); }

 private:
  struct Account {
    std::array<double, 5> used{};
    Instant counted_at;  // `used` is as of then
    Instant barred_until;
    Duration bar{};      // the last one
    bool known = false;  // a host of which somebody was let in
  };

  Account& AccountOf(const std::string& name, Instant now);
  const Account* Find(const std::string& name) const;
  void MakeRoom(Instant now);
  Duration Bar(Account& account, Instant now) const;

  const PeerBudgetOptions options_;
  std::map<std::string, Account> accounts_;
  std::size_t known_ = 0;  // of these
  Account all_;
};

}  // namespace radix::confab
