// A thread that calls a core when its time has come.

#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "services/confab/time.h"

namespace radix::confab {

// Calls `tick(now)` at once, and again no later than the Instant that it returned, or when woken.
// The calls do not overlap. Ends, and waits for a running tick, when destroyed.
class TimerThread {
 public:
  using Tick = std::function<Instant(Instant now)>;

  explicit TimerThread(Tick tick);
  ~TimerThread();
  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;

  // Has `tick` called soon. Thread-safe; may be called from within `tick`.
  void Wake();

  // Has `tick` called soon, and `then` behind it on the same thread: so whoever hears of it knows
  // that the thread takes its turns. `then` must be quick; it is dropped when this object is
  // destroyed before. Thread-safe.
  void AfterTurn(std::function<void()> then);

 private:
  void Run();

  Tick tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> after_;
  bool woken_ = false;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace radix::confab
