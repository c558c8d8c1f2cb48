// Decides how a file that is missing here is fetched: which peer next, when again, when to give up.
//
// A protocol core: it opens no connection and reads no clock. Its caller asks Next what to do, does
// it, says how it went, and asks again.
//
//   +-> kLookup --HandlePeers--> kFetch --(the file is here: done)
//   |      |                       | HandleFailure
//   |      | HandleNoLookup        v
//   +- kWait <------------ the next peer, or the round is over ------> kGiveUp

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix::pastiche {

// Another node's store.
struct Peer {
  std::string node;
  std::string net_id;

  auto operator<=>(const Peer&) const = default;
};

// How a fetch from a peer went wrong.
enum class Failure : std::uint8_t {
  kAbsent,   // it does not have the file
  kDamaged,  // it had the file, and has just found its copy damaged
  kBusy,     // it has too much to do
  kBroken,   // it could not be reached, or ended in the middle
  kWrong,    // what it sent was not the file
};

struct PullOptions {
  // Times that all peers are looked up and asked, at most. Requires: > 0.
  int rounds_max = 6;

  // Fetches begun in all rounds together, at most. Requires: > 0.
  int fetches_max = 1000;

  // The waits between rounds, as for Backoff.
  Duration wait_first = 200ms;
  Duration wait_most = 4s;
};

// What the caller is to do.
struct PullStep {
  enum class Kind : std::uint8_t {
    kLookup,  // ask who the peers are, then HandlePeers or HandleNoLookup
    kFetch,   // fetch from `peer`; HandleFailure unless the file is here and has proved right
    kWait,    // ask again at `until`
    kGiveUp,  // end with `status`
  };
  Kind kind = Kind::kLookup;
  Peer peer;
  Instant until;
  absl::Status status;
};

// One file's pull.
//
// The order of the peers is random, so that many nodes that pull one file spread over those that
// have it; those that broke before come last, and whoever sent wrong bytes is not asked again. A
// further round is made only if it may help: when a peer was busy or broken, when the lookup
// failed, or when the first one named nobody.
//
// Not thread-safe.
class Pull {
 public:
  // `what` names the file in the final error; `seed` drives every random choice.
  Pull(std::string what, const PullOptions& options, std::uint64_t seed);

  // Says what to do at `now`. Asked twice without an answer in between, it says the same.
  PullStep Next(Instant now);

  // The lookup named these, this node itself left out. Repeated ones count once.
  void HandlePeers(std::vector<Peer> peers);

  // The lookup failed.
  void HandleNoLookup(const std::string& why);

  // The fetch from the peer that Next named last failed.
  void HandleFailure(Failure failure, const std::string& why);

 private:
  enum class State : std::uint8_t { kLookup, kRound, kFetching, kWaiting, kOver };

  // What is known about a peer.
  struct Record {
    int fetches = 0;
    int breaks = 0;
    bool wrong = false;
    bool absent = false;  // at its last fetch it just did not have the file
    std::string last;     // how that went
  };

  void EndRound(Instant now);
  absl::Status Explain() const;

  std::string what_;
  PullOptions options_;
  Random random_;
  Backoff backoff_;
  State state_ = State::kLookup;
  std::vector<Peer> left_;  // of this round; taken from the back
  Peer peer_;               // the one being fetched from
  Instant until_;
  int rounds_ = 0;
  int fetches_ = 0;
  bool may_help_ = false;     // whether another round may
  std::string lookup_error_;  // of the last lookup; empty if it went well
  std::map<Peer, Record> records_;
};

}  // namespace radix::pastiche
