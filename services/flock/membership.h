// What this node believes about everybody, and how that changes.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/damping.h"
#include "services/flock/event.h"
#include "services/flock/member_table.h"
#include "services/flock/news.h"
#include "services/flock/pace.h"
#include "services/flock/packet_codec.h"
#include "services/flock/statement.h"
#include "services/flock/suspicion.h"

namespace radix::flock {

// Merges what members say of themselves and of each other into one view. Hearsay lists and
// suspects; it never removes, nor does it replace one boot by another. A member is removed when
// enough others signed that they accuse it (suspicion.h), and it did not refute; it leaves when it
// signed that itself. Not thread-safe.
class Membership {
 public:
  // This node as `self`, of a bloc of `expected` members; `events` takes what changes.
  Membership(const Tunables& tunables, std::uint32_t slots, std::uint32_t expected,
             const Record& self, std::vector<Event>& events, Instant now);

  MemberTable& table() { return table_; }
  const MemberTable& table() const { return table_; }
  const Suspicions& suspicions() const { return suspicions_; }
  News& news() { return news_; }
  const News& news_waiting() const { return news_; }
  const Damping& damping() const { return damping_; }
  const Record& self() const { return self_; }

  // `teller` says `record`; `accusers` (slots) suspect it, if its state says so.
  // `bulk`: anti-entropy, which needs no spreading on.
  void MergeHearsay(const NewsItem& item, const MemberId& teller, bool bulk, Instant now);

  // Whether `statement` would change anything, and its author's word counts; if so, see whether it
  // is signed, and merge it.
  bool Wants(const Statement& statement) const;
  void Merge(const Statement& statement, const MemberId& teller, Instant now);
  // Whom this node should accuse now under its own name; taken.
  std::vector<Accused> TakeAccusations(Instant now);
  // What stands for a member that this node holds for dead; nullopt if it does not.
  std::optional<Accused> HeldDead(std::uint32_t slot) const;

  // `member` was heard itself, fresh, at `incarnation`. Returns false if it does not know that it
  // is suspected, dead, or superseded here, and should be told its own news.
  // `proves`: it shows in the same datagram that it is of this moment; then its word is the last,
  // whatever others said.
  bool MergeDirect(Member& member, std::uint32_t incarnation, bool proves, Instant now);

  // `record` is what its owner proved to be: adds it or lets it replace another boot. Returns the
  // member, or nullptr if the owner must first raise its incarnation above what is held here.
  Member* Prove(const Record& record, Instant now);

  // This node accuses `id`, after unanswered `probes`; not if it, whom
  // this node heard itself once, refuted just now (damping.h).
  void AccuseOnOwnEvidence(const MemberId& id, const Witnesses& probes, Instant now);
  // The same, where others' suspicion made this node look: not if `id` refuted that since, and its
  // word counts.
  void ConfirmOnOwnEvidence(const MemberId& id, const Witnesses& probes, Instant now);
  // Whether this node is to look itself, at once, whenever it hears of a suspicion.
  void set_confirms(bool confirms) { confirms_ = confirms; }
  // Those at which it should look, the first `most` of them; taken.
  std::vector<MemberId> TakeConfirmations(std::size_t most);
  // Removes suspects whose time is up, and forgets old tombstones.
  void HandleTimeout(Instant now);
  // This node was away: the suspects get all their time again.
  void RestartVerdicts(Instant now);
  // This node ran late: they get so much more.
  void PutVerdictsOff(Duration late) { suspicions_.PutOff(late); }
  // This node says good-bye: others may hear it from its record.
  void Leave() { self_.state = MemberState::kLeft; }

  // What to tell about `slot`; requires that it is known.
  NewsItem ItemFor(std::uint32_t slot) const;
  // Those that are said to have been replaced by a later boot; each should be probed. Taken.
  std::vector<MemberId> TakeReplaced();
  // Slots that should hear their own news directly; taken.
  std::vector<std::uint32_t> TakeTells();
  // Of whom others say what does not fit to what is held here; each should be asked itself. Taken.
  std::vector<MemberId> TakeDoubts();

  bool IsInContact(const Member& member, Instant now) const;
  Instant next() const;
  // When the view last changed.
  Instant changed_at() const { return changed_at_; }

 private:
  void MergeAboutSelf(const Record& record, std::span<const std::uint32_t> accusers,
                      const MemberId& teller, Instant now);
  void Accuse(Member& member, std::uint32_t accuser, const MemberId& reporter, Evidence evidence,
              Instant now, const Witnesses& probes = {});
  // Whether this node is one of about eight that tell `slot` what others say of it, or ask it.
  bool IsTeller(std::uint32_t slot) const;
  // Hearsay about this boot of `member` does not say who it is.
  void KeepIdentity(const Member& member, Record& record, Instant now);
  // Hearsay says that the slot of `member` has another boot. Returns whether it has now.
  bool MergeOtherBoot(Member& member, const Record& record, const MemberId& teller, bool bulk,
                      Instant now);
  void SignAgainst(Member& member, const MemberId& signer, const MemberId& teller, Instant now);
  // Whether what `author` signs counts here.
  bool IsCredible(const Member& author) const;
  // How many nobody suspects, this node included.
  std::uint32_t unsuspected() const;
  void Doubt(const MemberId& id, Instant now);
  void CountDownToSettled(Instant now);
  void Revive(Member& member, const Record& record, Evidence evidence, const MemberId& reporter,
              bool bulk, Instant now);
  void Die(Member& member, Evidence evidence, const Suspicion* suspicion, Instant now);
  void Raise(std::uint32_t above, Instant now);
  void Tell(std::uint32_t slot, Instant now);
  Event& Emit(EventKind kind, Evidence evidence, const MemberId& subject, const MemberId& reporter,
              std::uint32_t incarnation, Instant now);

  // When somebody died. Came it back and died again, there are two of it, and the first one ends
  // the memory of it.
  struct Tombstone {
    MemberId id;
    Instant since;
  };

  Tunables tunables_;
  Record self_;
  MemberTable table_;
  Suspicions suspicions_;
  Damping damping_;
  News news_;
  std::vector<Event>& events_;
  std::vector<std::uint32_t> tells_;
  std::vector<MemberId> doubts_;
  std::vector<MemberId> replaced_;
  std::vector<MemberId> confirmations_;
  bool confirms_ = false;
  std::vector<Tombstone> tombstones_;  // oldest first
  Instant changed_at_;
  Instant next_purge_;
  Instant next_settling_;
  // A member is told that it is held for dead, or suspected. When a rack is dead, everybody has
  // something to tell to each node of it.
  Pace tell_pace_{100ms, 16};
  Pace doubt_pace_{10ms, 24};
  // What others say may make this node raise its incarnation so often.
  Pace raise_pace_{100ms, 16};
};

}  // namespace radix::flock
