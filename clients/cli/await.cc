#include "clients/cli/await.h"

#include <poll.h>

#include <algorithm>

#include "services/confab/clock.h"
#include "services/confab/entropy.h"

namespace radix::cli {

Await::Await(Duration limit)
    : end_(confab::Now() + limit), random_(confab::RandomNumber()), backoff_(20ms, 500ms) {}

Duration Await::remaining() const { return std::max<Duration>(end_ - confab::Now(), 0ns); }

bool Await::Again(const std::vector<int>& events) {
  const Duration wait = backoff_.Next(random_);
  if (confab::Now() + wait >= end_) return false;
  std::vector<pollfd> polled;
  for (const int fd : events) polled.push_back({fd, POLLIN, 0});
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  poll(polled.data(), polled.size(), static_cast<int>(milliseconds));
  return true;
}

}  // namespace radix::cli
