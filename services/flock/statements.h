// Signed statements on their way through the bloc, and what verifying them may cost.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/pace.h"
#include "services/flock/statement.h"

namespace radix::flock {

// Each is told some times, less each time that it comes back, as news is: a good-bye about
// 2 * log2(n) times, an accusation ten times. Only what was verified may be added; so whoever tells
// a forged one made it, and is not listened to for a while. Not thread-safe.
class Statements {
 public:
  // No more than this many at a time; the oldest make room.
  static constexpr std::size_t kMax = 96;
  // Who told a forged statement is not listened to for so long.
  static constexpr Duration kForgerShunned = 10s;

  // To be told, in a bloc of `live` members.
  void Add(const Statement& statement, std::uint32_t live);
  // Whether `statement` is being told here; then it was heard again.
  bool HeardAgain(const Statement& statement);

  // Whether a statement that `teller` (a slot) told may be verified now. If so, it counts as done.
  bool MayVerify(std::uint32_t teller, Instant now);
  void NoteForger(std::uint32_t teller, Instant now);

  bool empty() const { return waiting_.empty(); }
  std::size_t bytes() const { return bytes_; }  // of those that wait
  std::size_t memory_bytes() const;

  // As many as fit into `room` bytes, in turn.
  void Take(std::size_t room, std::vector<std::uint8_t>& out);

 private:
  struct Waiting {
    std::vector<std::uint8_t> bytes;
    std::uint32_t tellings = 0;  // that are left
  };
  struct Forger {
    std::uint32_t slot = 0;
    Instant until;
  };

  void Remove(std::size_t at);

  std::vector<Waiting> waiting_;  // oldest first
  std::vector<Forger> forgers_;   // oldest first, a few
  std::size_t cursor_ = 0;
  std::size_t bytes_ = 0;
  // 200 a second take 2 % of a core, as slow as it may be.
  Pace pace_{5ms, 100};
};

}  // namespace radix::flock
