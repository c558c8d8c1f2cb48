// Who is suspected, by whom, and until when one may refute.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/member.h"

namespace radix::flock {

// One suspected member. Those who accuse it by hearsay explain why it is looked at; only those
// whose signature was verified, and this node itself, can have it removed.
struct Suspicion {
  MemberId id;
  std::uint32_t incarnation = 0;
  std::array<std::uint32_t, 3> accusers{};  // slots, as others told us
  std::array<std::uint32_t, 3> signers{};   // slots
  std::uint8_t accuser_count = 0;
  std::uint8_t signer_count = 0;
  bool own = false;  // this node's own probes had no answer
  Instant since;
  Instant deadline;                    // when to look at it again
  Instant enough_at = Instant::max();  // when enough had signed
  Instant sign_at = Instant::max();    // when this node signs what it found itself
};

// What became of a suspicion whose time is up.
struct Expired {
  Suspicion suspicion;
  bool confirmed = false;  // enough signed; if not, it was hearsay, and nobody stood for it
};

// The suspicions of one node. A member is removed when three others signed that they accuse it,
// this node among them if it found so itself; or all others where there are fewer, for which this
// node must have found it itself. It has `suspicion_shortest` to refute from when it was first
// suspected, and a third of that from when enough had signed.
//
// Source: Dadgar, Phillips and Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
// Detection", DSN-W 2018, from whom the idea of independent suspicions is.
class Suspicions {
 public:
  explicit Suspicions(const Tunables& tunables) : tunables_(tunables) {}

  // `accuser` is said to suspect `id` at `incarnation`. Returns whether that was news.
  bool Accuse(const MemberId& id, std::uint32_t incarnation, std::uint32_t accuser, Instant now);
  // This node suspects it itself, and signs that at `sign_at`.
  void AccuseItself(const MemberId& id, std::uint32_t incarnation, Instant sign_at, Instant now);
  // `signer` signed. `unsuspected`: how many members nobody suspects, this node included.
  bool Sign(const MemberId& id, std::uint32_t incarnation, std::uint32_t signer,
            std::uint32_t unsuspected, Instant now);
  // Whether one more signature of `signer` would matter.
  bool Lacks(const MemberId& id, std::uint32_t incarnation, std::uint32_t signer) const;

  // It refuted, was replaced, or died.
  void Clear(std::uint32_t slot);
  // This node was away itself: everybody has all the time again.
  void Restart(Instant now);
  // This node ran late by `late`: everybody has so much more time, and what it found itself does
  // not count.
  void PutOff(Duration late);

  const Suspicion* Find(std::uint32_t slot) const;
  // Takes those whose time is up, by slot.
  std::vector<Expired> TakeExpired(std::uint32_t unsuspected, Instant now);
  // Takes those that this node should sign now, at most `limit`. Until enough have signed, each
  // comes again after a second or two.
  std::vector<MemberId> TakeUnsigned(std::size_t limit, Instant now);
  Instant next_signature() const { return next_signature_; }
  // When TakeExpired should be asked again; may be too early, never too late.
  Instant next() const { return next_; }
  std::size_t size() const { return suspicions_.size(); }
  std::size_t memory_bytes() const { return suspicions_.capacity() * sizeof(Suspicion); }

 private:
  // The suspicion of `id` at `incarnation`, begun if there was none; nullptr if a later incarnation
  // is suspected already.
  Suspicion* Open(const MemberId& id, std::uint32_t incarnation, Instant now);
  static bool IsEnough(const Suspicion& suspicion, std::uint32_t unsuspected);
  // Notes it when enough have signed.
  void Consider(Suspicion& suspicion, std::uint32_t unsuspected, Instant now);
  // Where that of `slot` is, or would be.
  std::size_t Place(std::uint32_t slot) const;

  Tunables tunables_;
  // By slot. When a part of the bloc is cut off these are hundreds, looked up for every piece of
  // news, and looked through whenever one of them runs out.
  std::vector<Suspicion> suspicions_;
  Instant next_ = Instant::max();            // not after the first deadline
  Instant next_signature_ = Instant::max();  // not after the first
};

}  // namespace radix::flock
