// The asking side of leadership: which leases this node holds, and so whether it is sealed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/electorate.h"
#include "services/flock/lease.h"
#include "services/flock/member.h"
#include "services/flock/pace.h"
#include "services/flock/packet_codec.h"

namespace radix::flock {

// What happened to the own candidacy.
enum class CandidacyChange : std::uint8_t {
  kNone,
  kSealed,    // a quorum granted `sealed_epoch`
  kUnsealed,  // and no longer
  kGaveUp,    // leases are to be given back: see GivenBack
};

// One node's candidacy. It asks every member for a lease, renews each in time, and is sealed while
// a quorum of leases runs. Leases are counted by address slot: two boots of one machine are one
// voter. The own vote is asked for like any other, and is always one of the quorum: who cannot
// promise itself, since its disk is full or broken, gives up, and others try. Not thread-safe.
class Candidacy {
 public:
  // Counts the leases of those only who have a vote by `electorate`, which must outlive it.
  Candidacy(const Tunables& tunables, std::uint32_t quorum, const MemberId& self,
            const Electorate& electorate);

  // Looks at where it stands. `may_ask`: this node's view ranks it first, and it counts a quorum.
  // `promised` is the greatest epoch that this node granted itself. Call until it returns kNone.
  CandidacyChange Tick(bool may_ask, std::uint64_t promised, Instant now, Random& random);

  // The epoch under which it asks now; 0: it does not.
  std::uint64_t asking_epoch() const { return asking_; }
  // The epoch under which it is, or was last, sealed; 0: it is not.
  std::uint64_t sealed_epoch() const { return sealed_; }
  // How far above its own promise it believes refusals.
  void set_epoch_told(std::uint64_t most) { epoch_told_ = most; }
  // Until when, if it is sealed at `now`.
  std::optional<Instant> sealed_until(Instant now) const;
  // It failed lately and lets others try first.
  bool StepsBehind(Instant now) const { return now < behind_until_; }

  // Whether `member` should be asked now; if so, with what. Requires: asking_epoch() != 0.
  std::optional<LeaseAsk> AskFor(const MemberId& member, std::uint64_t charter_digest, Instant now);
  // When it should be looked at again.
  Instant next() const;

  void HandleGrant(const MemberId& from, const LeaseGrant& grant, Instant now);
  void HandleRefusal(const MemberId& from, const LeaseRefusal& refusal, Instant now);

  // After kGaveUp: the epoch given back, and to whom.
  // 0: nothing is given back, what was granted runs out; but this node leads no more.
  std::uint64_t given_back_epoch() const { return given_back_epoch_; }
  std::vector<MemberId> TakeGivenBack();

  // Steps down at once: this node leaves, or may not lead. Follow with Tick. What it held as a
  // sealed leader is not given back, but runs out: whoever acts under it goes on until the end that
  // it was told last.
  void StepDown() { step_down_ = true; }
  // The same, and lets others try for so long that they hear of the other leader.
  void Yield(Instant now);
  // Whether, while this node is sealed, enough others than the member of `rival` said that their
  // grants run elsewhere to make a quorum with it. By a charter that is true they never do.
  bool IsOutvoted(std::uint32_t rival, Instant now) const;

  // Running leases under the epoch that is asked for.
  std::uint32_t lease_count(Instant now) const;

  // The lease of `slot` counts no more, nor does what is sealed by it.
  void Dismiss(std::uint32_t slot, Instant now);

  // There is another electorate. Everybody hears of it at once, with the next request.
  void HandleElectorate(Instant now);
  // The slots of the running leases.
  std::vector<std::uint32_t> Granting(Instant now) const;
  bool IsGranting(std::uint32_t slot, Instant now) const;
  // Whether its member was asked twice and has not answered. It may have forgotten the key that we
  // share: most keep only a few.
  bool IsSilent(std::uint32_t slot, Instant now) const;
  // Who would grant, or would if it had a vote, and has none.
  std::vector<MemberId> Waiting() const;
  // Whether a voter does not grant, since it knows a greater electorate made under a lesser epoch.
  bool IsOutdated() const { return outdated_; }
  // Whether a quorum granted knowing the present electorate.
  bool IsElectorateKnown() const;
  // What `member` knew of the electorate when it answered last.
  ElectorateVersion ElectorateKnownTo(const MemberId& member) const;

  std::size_t memory_bytes() const { return voters_.capacity() * sizeof(Voter); }

 private:
  struct Voter {
    MemberId id;
    std::uint32_t sequence = 0;  // of the last request
    bool awaiting = false;       // an answer to it
    bool knows = false;          // the last request said that we are sealed under this epoch
    std::uint64_t echo = 0;      // the last answer heard
    Instant asked_at{};          // when the last request was first sent
    Instant ask_next{};
    Instant until{};               // the lease under `asking_`
    ElectorateVersion electorate;  // as its last answer named it
    bool granted_knowing = false;  // it granted, and named the present one
    bool wants_vote = false;
    bool elsewhere = false;  // its last answer: its grant runs to another, or it has a greater list
  };

  Voter& VoterOf(const MemberId& member);
  const Voter* Find(std::uint32_t slot) const;
  void Begin(std::uint64_t epoch, Instant now);
  void RaiseTo(std::uint64_t epoch, Instant now);
  CandidacyChange GiveUp(Instant now);
  // Until when a quorum of leases runs, the own one among them.
  Instant QuorumEnd() const;
  void Recount(Instant now);
  // The same, after leases that were counted are not any more.
  void CountAnew(Instant now);

  Tunables tunables_;
  std::uint32_t quorum_;
  MemberId self_;
  const Electorate& electorate_;
  std::vector<Voter> voters_;  // by slot
  std::uint64_t asking_ = 0;
  std::uint64_t sealed_ = 0;
  Instant sealed_until_{};
  Instant told_until_{};      // the latest end that anybody may have been told
  bool recount_due_ = false;  // leases were granted that `sealed_until_` does not know of
  Instant recount_next_{};
  bool sealed_reported_ = false;
  std::uint64_t told_ = 0;  // the greatest epoch that a refusal named
  std::uint64_t epoch_told_ = kEpochToldMax;
  std::uint64_t base_ = 0;  // what it knew itself when it began to ask
  Pace raises_;             // of the epoch while sealed: each has all begin anew
  std::uint64_t used_ = 0;  // the greatest epoch given back: never asked for or counted again
  Instant started_at_{};
  Instant behind_until_{};
  bool step_down_ = false;
  std::uint32_t sequence_ = 0;
  std::vector<MemberId> given_back_;
  std::uint64_t given_back_epoch_ = 0;
  bool yields_ = false;
  bool outdated_ = false;
};

}  // namespace radix::flock
