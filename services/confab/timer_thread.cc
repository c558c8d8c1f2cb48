#include "services/confab/timer_thread.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "services/confab/clock.h"

namespace radix::confab {

namespace {

// Signals are for threads that wait for them: one that arrived here would end the process, although
// its main had blocked it later.
std::thread StartWithoutSignals(const std::function<void()>& run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(run);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

TimerThread::TimerThread(Tick tick)
    : tick_(std::move(tick)), thread_(StartWithoutSignals([this] { Run(); })) {}

TimerThread::~TimerThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void TimerThread::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void TimerThread::AfterTurn(std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    after_.push_back(std::move(then));
    woken_ = true;
  }
  changed_.notify_one();
}

void TimerThread::Run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    woken_ = false;
    const auto after = std::exchange(after_, {});
    lock.unlock();
    const Instant next = tick_(Now());
    for (const auto& then : after) then();
    lock.lock();
    // An hour at most, so that Instant::max() cannot overflow the wait.
    const Instant now = Now();
    const Duration wait = next <= now ? 0ns : std::min(next, now + 1h) - now;
    changed_.wait_for(lock, wait, [this] { return woken_ || ending_; });
  }
}

}  // namespace radix::confab
