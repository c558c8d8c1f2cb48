// Log lines about whoever may cause as many as it likes.

#pragma once

#include <mutex>
#include <string>
#include <utility>

#include "services/confab/time.h"

namespace radix::confab {

// Warns at most ten times a second, and says then how often it did not. Thread-safe.
class SparingLog {
 public:
  // `what` happened to those who are not named: "were refused".
  explicit SparingLog(std::string what) : what_(std::move(what)) {}

  void Warn(const std::string& text);

 private:
  static constexpr int kMost = 10;

  const std::string what_;
  std::mutex mutex_;
  Instant began_;
  int said_ = 0;
};

}  // namespace radix::confab
