// The vocabulary of flock: who a member is, and what can be known of one.

#pragma once

#include <compare>
#include <cstdint>

namespace radix::flock {

// One boot of one machine: its address slot in the charter's ranges, and the random number that it
// drew when it booted. A rebooted machine is another member of the same slot, and replaces the
// earlier one.
struct MemberId {
  std::uint32_t slot = 0;
  std::uint64_t boot = 0;

  auto operator<=>(const MemberId&) const = default;
};

// The states of SWIM, in the order in which, at one incarnation, a later one overrides an earlier.
enum class MemberState : std::uint8_t { kAlive, kSuspect, kDead, kLeft };

// Whether a member in this state takes part: alive, or suspected and free to refute.
constexpr bool IsLive(MemberState state) { return state <= MemberState::kSuspect; }

// One member as listed.
struct MemberView {
  MemberId id;
  std::uint32_t incarnation = 0;  // raised only by the member itself, to refute
  MemberState state = MemberState::kAlive;
  bool in_contact = false;  // heard directly within the contact time-out, and reports hearing us
  std::uint64_t fingerprint = 0;  // of its Ed25519 public key
  bool revoked = false;           // that key is not believed any more
};

// The greatest epoch. So all fit into an int64, as every proto and JSON field that shows one does;
// a datagram or a file that names a greater one is malformed.
inline constexpr std::uint64_t kEpochMax = std::uint64_t{1} << 62;

// Names a list of those who have a vote (electorate.h). Of two lists, the greater holds.
struct ElectorateVersion {
  std::uint64_t epoch = 0;   // of the sealed leader who made it; 0: there is none
  std::uint32_t serial = 0;  // the how-many-th of that leader's

  auto operator<=>(const ElectorateVersion&) const = default;
};

// The promise that a grant makes: no other holder at this epoch, and no lower epoch for anybody.
struct Promise {
  std::uint64_t epoch = 0;  // 0: nothing was ever granted
  MemberId holder;

  auto operator<=>(const Promise&) const = default;
};

}  // namespace radix::flock
