// A bloc of eight slots whose datagrams a test carries itself, or loses.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/charter.h"
#include "services/flock/flock.h"

namespace radix::flock {

inline Config ConfigOf(std::uint32_t slot) {
  CharterFields fields;
  fields.bloc = "test";
  fields.ranges = {"10.0.0.0-10.0.0.7"};
  fields.port = 7117;
  fields.key_file = "none";
  Config config;
  config.charter = *Charter::Create(fields);
  config.slot = slot;
  config.boot = slot + 100;
  config.identity_seed = Key{static_cast<std::uint8_t>(slot), 1};
  config.secondary_keys = {Key{1}};
  config.entropy = Key{static_cast<std::uint8_t>(slot), 2};
  return config;
}

// Carries what any of `flocks` sends to the others, all at `now`, until nothing is left; returns
// how long each datagram was.
inline std::vector<std::size_t> Carry(std::vector<Flock*> flocks, Instant now) {
  std::vector<std::size_t> sizes;
  for (bool any = true; any;) {
    any = false;
    for (Flock* const from : flocks) {
      while (const auto transmit = from->PollTransmit()) {
        for (Flock* const to : flocks) {
          if (to->self().slot != transmit->slot) continue;
          const std::vector<std::uint8_t> bytes(transmit->bytes.begin(), transmit->bytes.end());
          sizes.push_back(bytes.size());
          const auto last = std::to_string(from->self().slot);
          to->HandleDatagram({*IpAddress::Parse("10.0.0." + last), 7117}, bytes, now);
          any = true;
        }
      }
    }
  }
  return sizes;
}

using Bytes = std::vector<std::uint8_t>;

// What `from` sends to the slot `to`; the rest is lost.
inline std::vector<Bytes> SentTo(Flock& from, std::uint32_t to) {
  std::vector<Bytes> sent;
  while (const auto transmit = from.PollTransmit()) {
    if (transmit->slot == to) sent.emplace_back(transmit->bytes.begin(), transmit->bytes.end());
  }
  return sent;
}

}  // namespace radix::flock
