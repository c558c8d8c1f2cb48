// Sees the death of processes, whosever children they are, the moment they die.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "services/heartbeater/liveness.h"

namespace radix::heartbeater {

// Watches processes through pidfds, in one thread. Thread-safe.
class ProcessWatch {
 public:
  // `on_death` is called once for each process that died while it was watched, on this object's
  // thread; possibly just after Forget.
  explicit ProcessWatch(std::function<void(StreamId)> on_death);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // Watches `process` under the name `id`; nothing happens when `id` is watched. NotFound when
  // there is no such process, or its number now belongs to another one; otherwise as pidfd_open(2)
  // fails.
  absl::Status Watch(StreamId id, const Process& process);

  // Stops watching; nothing happens when `id` is not watched.
  void Forget(StreamId id);

 private:
  void Run();

  std::function<void(StreamId)> on_death_;
  int epoll_ = -1;
  int wake_ = -1;  // an eventfd: the end
  std::mutex mutex_;
  std::map<StreamId, int> pidfds_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace radix::heartbeater
