// Which instance of an api a client is bound to: the decisions, without the network.

#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix {

// An instance that may be called, as the registry tells of it.
struct Candidate {
  std::string inst;    // for example "galumph2_3"
  std::string net_id;  // for example "127.88.0.2:38815"
  std::string node;
  bool draining = false;

  bool operator==(const Candidate&) const = default;
};

// Keeps one client bound to the best instance that it can reach: the lexicographically greatest
// inst; among equals one of the client's own node, then a stable choice that differs from client to
// client (rendezvous hashing).
//
// A better instance is connected to first and bound only when that worked. Until then, and as long
// as nothing else can be reached, the client stays where it is: also when the instance drains or is
// no longer listed, because a working connection is better evidence than a registry that restarts.
//
// Its owner reports what happens and then carries out what Poll says. Not thread-safe.
class Binding {
 public:
  using ConnectionId = std::uint64_t;  // never 0, never used twice

  static constexpr std::size_t kCandidatesMax = 16384;  // more are not looked at
  static constexpr std::size_t kConnectingMax = 4;      // at once

  struct Options {
    std::string node;    // the client's own; its instances come first among equals
    std::string client;  // tells this client from others, to spread them; for example "n1/4711"
    Duration connect_limit = 2s;  // then an attempt has failed
    Duration stagger = 100ms;     // before the next best is tried beside one that does not answer
    Duration retry_first = 100ms;
    Duration retry_most = 5s;
    Duration stable = 10s;  // a connection that lived as long makes up for earlier failures
  };

  // What the owner has to do.
  struct Act {
    enum class Kind {
      kConnect,  // open `connection` to `candidate`; report OnServing, OnDraining or OnBroken
      kBind,     // new calls go through `connection`, to `candidate`
      kUnbind,   // new calls go nowhere; `connection` is that of the last kBind
      kDrop,     // forget `connection`; calls in flight may end on it
    };
    Kind kind = Kind::kConnect;
    ConnectionId connection = 0;
    Candidate candidate;
  };

  Binding(Options options, std::uint64_t seed);

  // The registry's news: one instance is there or has changed (any other inst at its address is
  // gone thereby); is gone; these are all.
  void Put(const Candidate& candidate);
  void Remove(const std::string& inst, const std::string& net_id);
  void Replace(const std::vector<Candidate>& candidates);

  // A connection's news: it works, and the instance takes calls; the instance says that it takes no
  // new calls; the connection could not be made or has ended. Those of dropped connections are
  // ignored.
  void OnServing(ConnectionId connection, Instant now);
  void OnDraining(ConnectionId connection, Instant now);
  void OnBroken(ConnectionId connection, Instant now);

  // The next thing to do. Call until nullopt, after all of the above and at next_time.
  std::optional<Act> Poll(Instant now);

  // When Poll has something to do without any news; Instant::max() for never.
  Instant next_time() const { return next_time_; }

  // The connection that calls go through; 0 for none.
  ConnectionId bound() const { return bound_; }

 private:
  struct Key {
    std::string net_id;  // first, so that all of one address are neighbours
    std::string inst;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::string node;
    std::uint64_t weight = 0;
    bool listed = false;         // by the registry
    bool draining = false;       // says the registry
    bool said_draining = false;  // says the instance itself
    ConnectionId connection = 0;
    bool ready = false;   // the connection works
    Instant since{};      // when it was begun, or became ready
    bool failed = false;  // lately, so the back-off counts
    Backoff backoff;
    Instant not_before{};  // the next attempt

    bool wanted() const { return listed && !draining && !said_draining; }
  };
  using Entries = std::map<Key, Entry>;
  using Place = Entries::iterator;

  Place FindConnection(ConnectionId connection);
  bool Better(const Entries::value_type& a, const Entries::value_type& b) const;
  void Disconnect(Entry& entry, Instant now);
  void Fail(Entry& entry, Instant now);
  void BindBest();
  void DropUnneeded(Instant now);
  void ConnectNext(Instant now);
  void EraseUnlisted();

  const Options options_;
  Random random_;
  Entries entries_;
  ConnectionId last_ = 0;
  ConnectionId bound_ = 0;
  Instant last_attempt_{};
  std::deque<Act> acts_;  // at most a few for each entry
  Instant next_time_ = Instant::max();
};

}  // namespace radix
