#include "services/flock/news.h"

#include <algorithm>
#include <bit>

namespace radix::flock {

std::size_t News::Place(std::uint32_t slot) const {
  return static_cast<std::size_t>(std::ranges::lower_bound(left_, slot, {}, &Entry::slot) -
                                  left_.begin());
}

void News::Add(std::uint32_t slot, std::uint32_t live, Kind kind) {
  const std::uint32_t often = 2 * static_cast<std::uint32_t>(std::bit_width(live) + 1);
  const std::uint32_t tellings = kind == Kind::kJoin ? std::max(3U, often / 4) : often;
  const Entry entry{slot, tellings, same_views_, kind};
  const std::size_t place = Place(slot);
  if (place < left_.size() && left_[place].slot == slot) {
    left_[place] = entry;
  } else if (left_.size() < kMax) {
    left_.insert(left_.begin() + static_cast<std::ptrdiff_t>(place), entry);
  }
}

void News::HeardAgain(std::uint32_t slot) {
  const std::size_t place = Place(slot);
  if (place == left_.size() || left_[place].slot != slot) return;
  --left_[place].tellings;
  if (IsKnown(left_[place])) {
    left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

void News::Remove(std::uint32_t slot) {
  const std::size_t place = Place(slot);
  if (place == left_.size() || left_[place].slot != slot) return;
  left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(place));
}

}  // namespace radix::flock
