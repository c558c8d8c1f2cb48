// How tests wait for what other threads bring about: with a limit, and a word about what did not
// come.

#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <thread>

#include "services/confab/time.h"

namespace radix {

// For what takes milliseconds when the machine is not busy.
inline constexpr Duration kPatience = 30s;

// Waits until `condition` holds; false when it does not within kPatience.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

// The value of `future`. When it does not come within kPatience the whole program ends, and says
// that it waited for `what`: a test that only failed would destroy what the late one still uses.
template <typename T>
T Await(std::future<T> future, const char* what) {
  if (future.wait_for(kPatience) != std::future_status::ready) {
    std::fprintf(stderr, "waited in vain for %s\n", what);
    std::abort();
  }
  return future.get();
}

}  // namespace radix
