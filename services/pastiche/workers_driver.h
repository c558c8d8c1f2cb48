// The threads that touch the disk, so that gRPC's own threads never wait for it.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace radix::pastiche {

// Runs tasks in the order in which they came, on a fixed number of threads. The queue is as long as
// there are transfers: each has at most one task in it. Ends what is queued before it is destroyed.
// Thread-safe.
class Workers {
 public:
  explicit Workers(std::size_t thread_count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void Post(std::function<void()> task);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool ending_ = false;
  std::vector<std::thread> threads_;  // last: they use the others
};

}  // namespace radix::pastiche
