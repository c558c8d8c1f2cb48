// Proof that a sender is there now, without remembering anything about it.

#pragma once

#include <array>
#include <cstdint>

#include "services/confab/time.h"
#include "services/flock/key_stream.h"
#include "services/flock/member.h"

namespace radix::flock {

// A token is sent in a ping, and the ack brings it back. Only this node can make or check one; it
// holds for one member and for 10 to 20 s. A sender that was never heard before is believed only
// once it echoed a token: so a recording of an earlier boot opens nothing.
class SessionTokens {
 public:
  explicit SessionTokens(KeyStream& secrets) { secrets.Fill(secret_); }

  std::uint64_t For(const MemberId& member, Instant now) const { return Make(member, Period(now)); }
  bool IsValid(std::uint64_t token, const MemberId& member, Instant now) const {
    const std::int64_t period = Period(now);
    return token == Make(member, period) || token == Make(member, period - 1);
  }

  // One for the door, in a RETRY: it holds for 2 to 4 s. A token of a ping opens the door as well.
  std::uint64_t ForDoor(const MemberId& member, Instant now) const {
    return Make(member, DoorPeriod(now));
  }
  bool OpensDoor(std::uint64_t token, const MemberId& member, Instant now) const {
    const std::int64_t period = DoorPeriod(now);
    return token == Make(member, period) || token == Make(member, period + 1) ||
           IsValid(token, member, now);
  }

 private:
  static std::int64_t Period(Instant now) { return now.time_since_epoch() / Duration(10s); }
  // Negative, and so none of the others.
  static std::int64_t DoorPeriod(Instant now) { return -1 - now.time_since_epoch() / Duration(2s); }
  std::uint64_t Make(const MemberId& member, std::int64_t period) const;

  std::array<std::uint8_t, 16> secret_{};
};

}  // namespace radix::flock
