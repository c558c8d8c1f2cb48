// The node that a fuzz target feeds, and what must hold of it whatever it was fed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/confab/charter.h"
#include "services/confab/time.h"
#include "services/flock/flock.h"

namespace radix::fuzz {

// Ends the process, saying `what`, unless `holds`: a fuzzer takes that for a crash.
void Require(bool holds, const char* what);

// The charter of all fuzz targets and of the corpus: 200 slots, five members at most. `Cluster` has
// the same for five nodes at a density of 1/40, so that what it records fits.
Charter FuzzCharter();

inline constexpr std::uint32_t kVictimSlot = 0;
inline constexpr Instant kStart{Duration(2h)};

// A datagram that the victim sent.
struct Sent {
  std::uint32_t slot = 0;
  std::vector<std::uint8_t> bytes;
};

// One production core with a clock of its own. After every call all invariants are checked.
class Victim {
 public:
  explicit Victim(const flock::Key& secondary_key);

  // A datagram from the address of `slot`, on the flock's port. Returns what it sent.
  std::vector<Sent> Receive(std::uint32_t slot, std::span<const std::uint8_t> bytes);
  std::vector<Sent> ReceiveFrom(const Endpoint& from, std::span<const std::uint8_t> bytes);
  // Lets time pass. Returns what it sent.
  std::vector<Sent> Wait(Duration duration);
  // The promise that waits for the disk, if there is one, is stored.
  std::vector<Sent> Store();
  std::vector<Sent> AskForIntroduction(std::uint32_t slot);
  std::vector<Sent> Leave();

  flock::Flock& core() { return core_; }
  Instant now() const { return now_; }
  const Charter& charter() const { return charter_; }
  std::uint64_t events() const { return events_; }
  std::uint64_t alarms() const { return alarms_; }

 private:
  std::vector<Sent> Drain();
  void Check();
  void CheckPromise();
  void CheckLeader();

  Charter charter_;
  flock::Flock core_;
  Instant now_ = kStart;
  std::optional<flock::Promise> to_store_;
  flock::Promise promise_;
  std::optional<flock::Leadership> leader_;  // as it was known after the last call
  std::uint64_t events_ = 0;
  std::uint64_t alarms_ = 0;  // of these
  bool leaving_ = false;
};

}  // namespace radix::fuzz
