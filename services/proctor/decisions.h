// The leader's half of the replicated decisions.
//
// A new leader first learns: from a quorum of slots that promised its epoch, it takes the latest
// document that one of them has, writes it again under its own epoch, and only when a quorum has
// that on disk does it act or accept changes. Every change is a whole new document, one at a time,
// acknowledged when a quorum has exactly that (epoch, revision, checksum). This is Paxos, with the
// epoch as the ballot; acceptor.h is the other half.
//
// One epoch may see two leader processes in turn, if the first one crashes. So that the second
// cannot use a revision again for something else, nothing is sent to other slots before the
// leader's own slot has it on disk, and learning needs the own slot's report: it has whatever an
// earlier process of this epoch may have sent to anybody.
//
// A slot whose disk was damaged says so, and does not count as one that reported: it may have been
// part of any quorum. Those that do count then still meet every quorum in a slot that remembers.
// From the first document that it takes it counts like any other. When the leader's own slot is
// such a one, the revisions that an earlier process of this epoch may have used are unknown, but
// few: one above the last decided, and as many as earlier gaps left out. So the new process leaves
// a gap, twice as wide with each loss.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "services/confab/time.h"
#include "services/proctor/document.h"

namespace radix::proctor {

// Not thread-safe. After every call that takes `now`, drain PollWrite, then call HandleTimeout no
// later than NextTimeout. A slot names a voter (an address): two boots of one machine are one.
class Decisions {
 public:
  struct Options {
    std::int64_t epoch = 0;           // > 0
    std::string own_slot;             // the leader's own
    std::size_t quorum = 0;           // > 0; of slots, the own one included
    Duration resend_interval = 2s;    // until a write that a slot did not acknowledge is sent again
    std::size_t body_max = kBodyMax;  // bytes
  };

  enum class Phase : std::uint8_t {
    kLearning,    // waits for the own slot's report and a quorum's
    kWriting,     // writes what it learnt under its own epoch
    kLeading,     // acts
    kSuperseded,  // another epoch was promised: this one is over for good
  };

  // What a slot has on disk, after all writes taken before.
  struct Report {
    Document document;
    int losses = 0;  // as in AcceptorState; at most kLossesMax
  };

  // A document for a slot. When `rewritten`, it was decided (or left undecided) under an earlier
  // epoch: whoever cannot get its files keeps it all the same.
  struct Write {
    std::string slot;
    Document document;
    bool rewritten = false;
  };

  explicit Decisions(Options options) : options_(std::move(options)) {}

  // `slot` promised this epoch. Replaces what was known of the slot. It counts until
  // HandleDisconnect.
  void HandleReport(const std::string& slot, const Report& report, Instant now);

  // The link to `slot` ended: its report and its acknowledgements count no more.
  void HandleDisconnect(const std::string& slot);

  // `slot` has the document of that name on disk.
  void HandleAck(const std::string& slot, std::int64_t epoch, std::int64_t revision,
                 const std::string& checksum, Instant now);

  // `slot` takes nothing below the epoch `promised`.
  void HandleRefusal(const std::string& slot, std::int64_t promised);

  void HandleTimeout(Instant now);

  // When HandleTimeout must next be called; nullopt while nothing is due.
  std::optional<Instant> NextTimeout() const;

  // Makes `body` the next document; returns its revision. It is decided once decided().revision
  // has reached that.
  //
  // FailedPrecondition unless leading; Unavailable while the one before is not decided yet;
  // ResourceExhausted above body_max.
  absl::StatusOr<std::int64_t> Propose(std::string body, Instant now);

  // Takes the next document to send; nullopt when there is none.
  std::optional<Write> PollWrite();

  Phase phase() const { return phase_; }

  // The latest document that a quorum has on disk under this epoch. Requires: phase() was kLeading.
  const Document& decided() const { return decided_; }

  // Whether a proposed document is not decided yet.
  bool in_flight() const { return current_.revision != decided_.revision; }

  // How many slots reported what they have, the own one included, and how many must; and how many
  // reported that they lost it.
  std::size_t report_count() const { return slots_.size() - lost_count(); }
  std::size_t quorum() const { return options_.quorum; }
  std::size_t lost_count() const;
  bool own_reported() const { return slots_.contains(options_.own_slot); }

 private:
  struct Slot {
    Report reported;  // the body only while learning
    bool has_current = false;
    std::optional<Instant> resend_at;  // set while a write is on its way
  };

  bool OwnHasCurrent() const;
  void Learn(Instant now);
  void WriteToOthers(Instant now);
  void Send(const std::string& name, Slot& slot, Instant now);
  void Adopt(Document document, Instant now);
  void CountAcks();

  Options options_;
  Phase phase_ = Phase::kLearning;
  std::map<std::string, Slot> slots_;
  Document current_;  // what is being written, or was last
  Document decided_;
  bool rewritten_ = true;  // whether current_ is what was learnt
  std::deque<Write> writes_;
};

}  // namespace radix::proctor
