// What happened lately, for people: kept for ListEvents, and logged.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "services/confab/time.h"

namespace radix::flock {

// One thing that happened, in the words of people.
struct Happening {
  std::chrono::system_clock::time_point at;
  std::string kind;         // one word, for example `suspected`
  std::string subject;      // an address
  std::string reporter;     // an address; empty when this node saw it itself
  std::uint64_t epoch = 0;  // 0: none
  std::string detail;       // the evidence
};

// The last kKept happenings. Logs each as one line, at most kLinesMax a second: what authentic
// members do is news, but a broken one among them must not fill the disk. What is at kError and was
// said within kRepeatAfter is left out: an alarm that lasts must not push out what led to it. Not
// thread-safe.
class EventLogDriver {
 public:
  static constexpr std::size_t kKept = 1000;
  static constexpr std::size_t kLinesMax = 200;
  static constexpr Duration kRepeatAfter = 1min;

  enum class Level { kDebug, kInfo, kError };

  // Keeps and logs it. `subject` and `reporter` are how the log names the two.
  void Add(Happening happening, Level level, const std::string& subject,
           const std::string& reporter, Instant now);

  std::vector<Happening> List() const { return {kept_.begin(), kept_.end()}; }

 private:
  // Whether that was said lately; if not, it is now.
  bool IsRepeated(const Happening& alarm, Instant now);
  // Whether one more line may be logged at `now`.
  bool MayLog(Instant now);

  static constexpr std::size_t kAlarmsMax = 256;

  std::deque<Happening> kept_;
  std::map<std::string, Instant> alarms_;  // when each was said last
  Instant second_{};                       // when the current second began
  std::size_t lines_ = 0;
};

}  // namespace radix::flock
