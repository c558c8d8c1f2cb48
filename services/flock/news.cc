#include "services/flock/news.h"

#include <bit>

namespace radix::flock {

void News::Add(std::uint32_t slot, std::uint32_t live) {
  if (left_.size() >= kMax && !left_.contains(slot)) return;
  left_[slot] = 2 * static_cast<std::uint32_t>(std::bit_width(live) + 1);
}

}  // namespace radix::flock
