// The granting side of leadership: to whom this node has promised what, until when.
//
// At any true instant at most one node may believe that it holds unexpired leases from a quorum.
// That follows from five rules, all here:
//   1. A node grants one lease at a time.
//   2. Its view of a lease lasts longer than the holder's: it counts from its answer and is
//      lengthened by the drift margin; the holder counts from its request, shortened.
//   3. It grants only epochs above any that it granted; the same one only to the same holder.
//   4. The promise is on disk, where there is one that takes it, before it is answered.
//   5. After a boot it grants nothing for one lengthened lease: it may have forgotten a promise.

#pragma once

#include <cstdint>
#include <optional>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/member.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

// `lease` as its holder may count it, and as its granter must.
Duration ShortenedLease(const Tunables& tunables);
Duration LengthenedLease(const Tunables& tunables);

// No honest bloc comes so far within the life of a promise: each failed candidacy takes some
// seconds and raises the epoch by one. So whoever names one further ahead lies, and nobody can use
// the numbers up in a few requests.
inline constexpr std::uint64_t kEpochJumpMax = std::uint64_t{1} << 32;
// What a refusal may make a candidate ask for beyond what it promised itself before. Far less, so
// that one voter that lies cannot drive a candidate past what the others would grant.
inline constexpr std::uint64_t kEpochToldMax = std::uint64_t{1} << 20;
// Both, for whoever had no leader for so long: somebody may have driven the promises apart.
inline constexpr std::uint64_t kEpochLongJumpMax = std::uint64_t{1} << 56;
inline constexpr Duration kEpochLongJumpAfter{10min};
// Who never granted anything has nothing to compare with: it has to follow a bloc that is old, or
// whose epochs somebody drove up. Half of all numbers are left beyond that.
inline constexpr std::uint64_t kEpochFirstMax = std::uint64_t{1} << 61;

// What a request is answered with: one of the two, or nothing yet, while the disk is busy.
struct LeaseAnswer {
  std::optional<LeaseGrant> grant;
  std::optional<LeaseRefusal> refusal;
};

// Grants leases, for one node. Not thread-safe.
class LeaseGranter {
 public:
  // Boots at `now`, with what the disk remembers.
  LeaseGranter(const Tunables& tunables, std::uint64_t charter_digest, bool has_disk,
               const Promise& recorded, Instant now);

  // `from` asks. `ranks_first`: this node's view ranks it before all others. Requires: the request
  // was authenticated under the key that only the two share.
  LeaseAnswer HandleAsk(const MemberId& from, const LeaseAsk& ask, bool ranks_first, Instant now);

  // How far that may be above the last promise.
  void set_epoch_jump(std::uint64_t jump) { epoch_jump_ = jump; }
  // The greatest epoch that anybody may ask for, or say that it leads under.
  std::uint64_t epoch_max() const;
  // Whether it could grant something: a while after its boot.
  bool IsReady(Instant now) const { return !leaving_ && now >= boot_until_; }

  // `holder` gives back what it was granted under `epoch`.
  void HandleGiveBack(const MemberId& holder, std::uint64_t epoch);

  // What waits for the disk is not granted to `holder` any more. What was granted runs on: it may
  // count on that.
  void Withhold(const MemberId& holder);

  // The promise to record, if any; see Flock::PollPersist.
  std::optional<Promise> PollPersist();
  // It is recorded. Returns the answer that waited for it, and for whom.
  struct Released {
    MemberId to;
    LeaseGrant grant;
  };
  std::optional<Released> HandlePersisted(const Promise& promise, Instant now);
  // The disk refused it: this node goes on as one without a disk. What waited is answered all the
  // same: rule 5 keeps leases exclusive, and only the order of epochs is no longer this node's to
  // guard, if it boots again before its disk took the promise.
  // `own`: it was this node's promise to itself. That waits on, but holds up no other.
  std::optional<Released> HandleNotPersisted(const Promise& promise, bool own, Instant now);

  // Grants nothing any more.
  void Leave() { leaving_ = true; }

  const Promise& promise() const { return promise_; }
  // The unexpired grant: to whom, under which epoch, until when.
  struct Grant {
    Promise promise;
    Instant until;
  };
  std::optional<Grant> grant(Instant now) const;

 private:
  struct Waiting {  // for the disk
    Promise promise;
    std::uint32_t sequence = 0;
    bool taken = false;       // by PollPersist
    bool given_back = false;  // its holder wants it no more
    bool refused = false;     // by the disk
  };

  LeaseGrant Answer(std::uint32_t sequence, Instant now);

  Tunables tunables_;
  std::uint64_t charter_digest_;
  bool has_disk_;
  bool leaving_ = false;
  Instant boot_until_;
  Promise promise_;  // the greatest ever given
  std::uint64_t epoch_jump_ = kEpochJumpMax;
  std::optional<Waiting> waiting_;

  Promise granted_;  // what the running, or last, grant was for
  Instant granted_until_;
  LeaseGrant last_answer_;  // to its holder
  std::uint64_t answers_ = 0;
};

}  // namespace radix::flock
