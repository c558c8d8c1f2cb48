// A node's half of the replicated decisions: what it promised, and what it has.
//
// This is the acceptor of Paxos, with the epoch as the ballot (Lamport, "Paxos Made Simple", 2001):
// a node that promised an epoch takes nothing from an earlier one, and says what it has, so that no
// leader can overlook what a quorum has.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "services/proctor/document.h"

namespace radix::proctor {

// What a node has on disk.
struct AcceptorState {
  std::int64_t promised = 0;  // nothing under a lesser epoch is taken
  Document document;          // epoch 0 for none; its epoch is never above `promised`
  // Above 0: the disk was found damaged, for the `losses`-th time, and the node has taken no
  // document since. What it had promised and taken before is not known. It has no document then.
  int losses = 0;

  bool operator==(const AcceptorState&) const = default;
};

// How often a node's disk may be damaged before it is not trusted again.
inline constexpr int kLossesMax = 32;

// Decides what a node promises and takes. A node that lost what it had takes nothing but under an
// epoch that it promised since; with the first document it is whole again, since a leader sends
// only what holds all that was decided. Its owner sees that it is asked for no epoch below one that
// it may have promised before the loss (dean: flock's grants never go back), and hands it nothing
// that was sent before the loss. Not thread-safe, and one step at a time:
//
//   Step step = acceptor.Write(document);
//   if (step.persist) { make *step.persist durable; only if that worked: acceptor.Commit(...) }
//   if that worked: send step.answer
class Acceptor {
 public:
  enum class Answer : std::uint8_t {
    kPromised,  // to Prepare; document() is what the node has
    kAccepted,  // to Write: it is on disk
    kStale,     // the epoch is below promised(), or in that epoch the node has a later revision;
                // or the node lost what it had, and has not promised that epoch since
    kCorrupt,   // the body is not what the checksum says, or another has that epoch and revision
  };

  struct Step {
    Answer answer = Answer::kStale;
    std::optional<AcceptorState> persist;  // what must be durable before the answer leaves
  };

  // Goes on from what the disk had. Requires: stored.document.epoch <= stored.promised.
  explicit Acceptor(AcceptorState stored) : state_(std::move(stored)) {}

  // The leader of `epoch` asks for the promise. Requires: epoch > 0.
  Step Prepare(std::int64_t epoch) const;

  // The leader of `document.epoch` wants it kept. Repeating a write is harmless.
  Step Write(const Document& document) const;

  // `state`, out of a step, is durable.
  void Commit(AcceptorState state) { state_ = std::move(state); }

  std::int64_t promised() const { return state_.promised; }
  const Document& document() const { return state_.document; }
  int losses() const { return state_.losses; }
  const AcceptorState& state() const { return state_; }

 private:
  AcceptorState state_;
};

}  // namespace radix::proctor
