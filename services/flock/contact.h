// What only direct contact with a member teaches.

#pragma once

#include <cstdint>
#include <limits>

#include "services/confab/time.h"
#include "services/flock/replay_window.h"

namespace radix::flock {

// Before anything that happens; far enough from the limits that differences do not overflow.
inline constexpr Instant kNever{Duration(std::numeric_limits<Duration::rep>::min() / 4)};

// One member that was heard itself. Of ten thousand members most nodes hear a few hundred in an
// hour, so this is kept apart from what is known of all. 64 bytes.
struct Contact {
  std::uint32_t slot = 0;
  std::uint32_t ring_tag = 0;   // the transient key that it uses, as last heard
  std::uint32_t ring_ack = 0;   // the ring that it acknowledged to us
  std::uint8_t beat_flags = 0;  // as last heard
  // It echoed a nonce of ours, so that its window is right: it is heard, not only heard of.
  bool proven = false;
  std::uint16_t view = 0;        // of its view's hash, as last heard, the end
  ReplayWindow window;           // of its counters, in what the group's key seals
  PairReplayWindow pair_window;  // and in what only it and we can seal
  std::uint64_t next_counter = 1;
  Instant heard_at = kNever;     // its last authenticated datagram
  Instant hears_us_at = kNever;  // when it last reported hearing us
};
static_assert(sizeof(Contact) == 64);

}  // namespace radix::flock
