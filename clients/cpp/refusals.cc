#include "clients/cpp/refusals.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <string>

#include "services/confab/clock.h"

namespace radix {

absl::Status SayRefused(const char* whom, const absl::Status& why) {
  static constexpr int kMost = 10;
  static std::mutex mutex;
  static Instant began;
  static int said = 0;

  const std::lock_guard lock(mutex);
  const Instant now = confab::Now();
  if (now - began >= 1s) {
    if (said > kMost) spdlog::warn("{} more were refused", said - kMost);
    began = now;
    said = 0;
  }
  if (++said <= kMost) spdlog::warn("{} was refused: {}", whom, std::string(why.message()));
  return why;
}

}  // namespace radix
