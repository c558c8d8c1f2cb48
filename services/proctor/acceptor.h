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

  bool operator==(const AcceptorState&) const = default;
};

// Decides what a node promises and takes. Not thread-safe, and one step at a time:
//
//   Step step = acceptor.Write(document);
//   if (step.persist) { make *step.persist durable; only if that worked: acceptor.Commit(...) }
//   if that worked: send step.answer
class Acceptor {
 public:
  enum class Answer : std::uint8_t {
    kPromised,  // to Prepare; document() is what the node has
    kAccepted,  // to Write: it is on disk
    kStale,     // the epoch is below promised(), or in that epoch the node has a later revision
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

 private:
  AcceptorState state_;
};

}  // namespace radix::proctor
