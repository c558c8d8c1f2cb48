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

// One suspected member.
struct Suspicion {
  MemberId id;
  std::uint32_t incarnation = 0;
  std::array<std::uint32_t, 3> accusers{};  // slots
  std::uint8_t accuser_count = 0;
  Instant since;
  Instant deadline;
};

// The suspicions of one node. Each further accuser, up to three, shortens the time to refute: many
// independent witnesses are seldom all sick.
//
// Source: Dadgar, Phillips and Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
// Detection", DSN-W 2018.
class Suspicions {
 public:
  explicit Suspicions(const Tunables& tunables) : tunables_(tunables) {}

  // `accuser` suspects `id` at `incarnation`. `others` is how many members could accuse it: where
  // there are fewer than three, all of them are enough. Returns whether that was news.
  bool Accuse(const MemberId& id, std::uint32_t incarnation, std::uint32_t accuser,
              std::uint32_t others, Instant now);

  // It refuted, was replaced, or died.
  void Clear(std::uint32_t slot);
  // This node was away itself: everybody has all the time again.
  void Restart(Instant now);

  const Suspicion* Find(std::uint32_t slot) const;
  // Takes those whose time is up, by slot.
  std::vector<Suspicion> TakeExpired(Instant now);
  // When TakeExpired should be asked again; may be too early, never too late.
  Instant next() const { return next_; }
  std::size_t size() const { return suspicions_.size(); }
  std::size_t memory_bytes() const { return suspicions_.capacity() * sizeof(Suspicion); }

 private:
  Duration Timeout(std::uint32_t accusers, std::uint32_t others) const;
  // Where that of `slot` is, or would be.
  std::size_t Place(std::uint32_t slot) const;

  Tunables tunables_;
  // By slot. When a part of the bloc is cut off these are hundreds, looked up for every piece of
  // news, and looked through whenever one of them runs out.
  std::vector<Suspicion> suspicions_;
  Instant next_ = Instant::max();  // not after the first deadline
};

}  // namespace radix::flock
