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

 private:
  static std::int64_t Period(Instant now) { return now.time_since_epoch() / Duration(10s); }
  std::uint64_t Make(const MemberId& member, std::int64_t period) const;

  std::array<std::uint8_t, 16> secret_{};
};

}  // namespace radix::flock
