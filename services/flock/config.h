// What a flock is made from.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/confab/charter.h"
#include "services/confab/time.h"
#include "services/flock/member.h"

namespace radix::flock {

using Key = std::array<std::uint8_t, 32>;

// No datagram is longer, in either direction.
inline constexpr std::size_t kDatagramSizeMax = 1200;
// What a node may say about itself (its name, its labels).
inline constexpr std::size_t kIntroductionSizeMax = 256;
// previous, current and next.
inline constexpr std::size_t kSecondaryKeysMax = 3;

// How a flock behaves. The defaults are for one datacenter's network; lower values notice sooner
// and cost more packets. All members should use the same.
struct Tunables {
  // Time between two failure probes of one node. Each probes one member per interval.
  Duration probe_interval = 300ms;
  // Time that a probed member has to answer; set it above the 99th percentile of the round trip.
  // Requires: 2 * probe_timeout <= probe_interval.
  Duration probe_timeout = 150ms;
  // Members asked to probe on one's behalf when the direct probe brought no answer.
  std::uint32_t indirect_probes = 3;
  // How long a suspicion is kept of which there is only hearsay; and the time that every suspect
  // has to refute.
  Duration suspicion_longest = 4s;
  Duration suspicion_shortest = 1500ms;

  // A member counts as in contact when it was heard this recently, and reported hearing us.
  Duration contact_timeout = 1500ms;
  // Time between two contact pings of a node that stands for leadership, to each member; longer
  // where the answers would be more than 11,700 a second, requests for leases among them, or 625
  // while others are likelier to lead.
  Duration contact_interval = 400ms;
  // This many of the first-ranked stand for leadership, and so keep in contact with everybody.
  // Everybody does where there are at most `standing_all_below` members. Nobody does that knows
  // less than a quorum.
  std::uint32_t standing = 3;
  std::uint32_t standing_all_below = 16;

  // Time between two rounds of anti-entropy while views still change, and when they do not.
  Duration sync_interval_busy = 140ms;
  Duration sync_interval_idle = 1s;

  // Blind probes sent in the first second, and time between two for ever after (jittered).
  std::uint32_t discovery_burst = 10;
  Duration discovery_interval = 1500ms;

  // How long a lease holds, before the margins for drifting clocks.
  Duration lease = 3s;
  // Time between two renewals (longer from 8,300 voters on: 120 us for each, at most half a lease),
  // and between two unanswered requests.
  Duration renew_interval = 1s;
  Duration request_interval = 250ms;
  // Clocks of two machines differ in rate by at most this, each from the truth. In parts of 10,000.
  std::uint32_t clock_drift_e4 = 120;

  // How long a transient key is used before the next is minted.
  Duration key_period = 40s;
  // How long a key that was replaced is still accepted.
  Duration key_grace = 60s;
  // How long a dead member is remembered.
  Duration tombstone = 10min;
};

// What a flock is made from. Nothing here is read again after Flock::Create.
struct Config {
  Charter charter;
  std::uint32_t slot = 0;  // our own; requires: < charter.ranges.size()
  std::uint64_t boot = 0;  // random, drawn afresh at every start of the process; requires: != 0
  // The seed of the node's Ed25519 identity key, which outlives boots.
  Key identity_seed{};
  // The bloc's secondary keys: the first is used, all are accepted. Requires: 1 to
  // kSecondaryKeysMax.
  std::vector<Key> secondary_keys;
  // Whether they come from a file that is to follow their rotation. If so, PollKeyFile must be
  // obeyed; if not it stays empty.
  bool has_key_file = false;
  // Secret, from real entropy in production: the seed of every key and every random choice.
  Key entropy{};
  // Slots of members known before the last restart; tried first. Others than slots are ignored.
  std::vector<std::uint32_t> remembered;
  // Whether promises survive a reboot. If so, PollPersist must be obeyed; if not it stays empty.
  bool has_disk = false;
  // The promise last recorded there; epoch 0 if none.
  Promise recorded;
  // Nodes whose keys the group has revoked, by their fingerprints: see Flock::SetRevoked.
  std::vector<std::uint64_t> revoked;
  // What this node tells who asks: its name and labels, in a form that is the caller's business.
  // Requires: at most kIntroductionSizeMax bytes.
  std::vector<std::uint8_t> introduction;
  Tunables tunables;
};

}  // namespace radix::flock
