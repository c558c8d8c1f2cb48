#include "services/flock/statements.h"

#include <algorithm>
#include <bit>

namespace radix::flock {
namespace {

constexpr std::size_t kForgersMax = 16;
// Whoever misses an accusation has others of the same: three of sixteen are enough.
constexpr std::uint32_t kAccusationTellings = 10;

}  // namespace

void Statements::Add(const Statement& statement, std::uint32_t live) {
  if (waiting_.size() >= kMax) Remove(0);
  bytes_ += statement.bytes.size();
  const std::uint32_t tellings = statement.kind == StatementKind::kAccuses
                                     ? kAccusationTellings
                                     : 2 * static_cast<std::uint32_t>(std::bit_width(live) + 1);
  waiting_.push_back({{statement.bytes.begin(), statement.bytes.end()}, tellings});
}

void Statements::Remove(std::size_t at) {
  bytes_ -= waiting_[at].bytes.size();
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
}

bool Statements::HeardAgain(const Statement& statement) {
  const auto known = std::ranges::find_if(waiting_, [&](const Waiting& each) {
    return std::ranges::equal(each.bytes, statement.bytes);
  });
  if (known == waiting_.end()) return false;
  if (--known->tellings == 0) Remove(static_cast<std::size_t>(known - waiting_.begin()));
  return true;
}

bool Statements::MayVerify(std::uint32_t teller, Instant now) {
  std::erase_if(forgers_, [&](const Forger& each) { return each.until <= now; });
  return std::ranges::count(forgers_, teller, &Forger::slot) == 0 && pace_.Take(now);
}

void Statements::NoteForger(std::uint32_t teller, Instant now) {
  if (forgers_.size() >= kForgersMax) forgers_.erase(forgers_.begin());
  forgers_.push_back({teller, now + kForgerShunned});
}

void Statements::Take(std::size_t room, std::vector<std::uint8_t>& out) {
  for (std::size_t i = waiting_.size(); i > 0 && !waiting_.empty(); --i) {
    if (cursor_ >= waiting_.size()) cursor_ = 0;
    Waiting& each = waiting_[cursor_];
    if (out.size() + each.bytes.size() > room) return;
    out.insert(out.end(), each.bytes.begin(), each.bytes.end());
    if (--each.tellings > 0) {
      ++cursor_;
    } else {
      Remove(cursor_);
    }
  }
}

std::size_t Statements::memory_bytes() const {
  std::size_t bytes = waiting_.capacity() * sizeof(Waiting);
  for (const Waiting& each : waiting_) bytes += each.bytes.capacity();
  return bytes;
}

}  // namespace radix::flock
