#include "services/confab/clock.h"

#include <ctime>

namespace radix::confab {

Instant Now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

std::chrono::system_clock::time_point WallNow() { return std::chrono::system_clock::now(); }

std::chrono::system_clock::time_point WallDeadline(Duration limit) {
  return WallNow() + std::chrono::duration_cast<std::chrono::system_clock::duration>(limit);
}

std::int64_t WallNanoseconds() {
  return std::chrono::nanoseconds(WallNow().time_since_epoch()).count();
}

}  // namespace radix::confab
