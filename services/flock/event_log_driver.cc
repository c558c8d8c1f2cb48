#include "services/flock/event_log_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::flock {

void EventLogDriver::Add(Happening happening, Level level, const std::string& subject,
                         const std::string& reporter, Instant now) {
  if (level == Level::kError && IsRepeated(happening, now)) return;
  const auto log_level = level == Level::kDebug  ? spdlog::level::debug
                         : level == Level::kInfo ? spdlog::level::info
                                                 : spdlog::level::err;
  if (spdlog::should_log(log_level) && MayLog(now)) {
    std::string line = absl::StrCat(happening.kind, ": ", subject);
    if (!happening.detail.empty()) absl::StrAppend(&line, ": ", happening.detail);
    if (!reporter.empty()) absl::StrAppend(&line, ", says ", reporter);
    if (happening.epoch != 0) absl::StrAppend(&line, ", epoch ", happening.epoch);
    spdlog::log(log_level, "{}", line);
  }
  if (kept_.size() == kKept) kept_.pop_front();
  kept_.push_back(std::move(happening));
}

bool EventLogDriver::IsRepeated(const Happening& alarm, Instant now) {
  if (alarms_.size() >= kAlarmsMax) alarms_.clear();
  const auto [said, first] =
      alarms_.try_emplace(absl::StrCat(alarm.subject, " ", alarm.detail), now);
  if (!first && now - said->second < kRepeatAfter) return true;
  said->second = now;
  return false;
}

bool EventLogDriver::MayLog(Instant now) {
  if (now - second_ >= 1s) {
    if (lines_ > kLinesMax) spdlog::warn("{} more lines were left out", lines_ - kLinesMax);
    second_ = now;
    lines_ = 0;
  }
  return ++lines_ <= kLinesMax;
}

}  // namespace radix::flock
