#include "services/confab/sparing_log.h"

#include <spdlog/spdlog.h>

#include "services/confab/clock.h"

namespace radix::confab {

void SparingLog::Warn(const std::string& text) {
  const std::lock_guard lock(mutex_);
  const Instant now = Now();
  if (now - began_ >= 1s) {
    if (said_ > kMost) spdlog::warn("{} more {}", said_ - kMost, what_);
    began_ = now;
    said_ = 0;
  }
  if (++said_ <= kMost) spdlog::warn("{}", text);
}

}  // namespace radix::confab
