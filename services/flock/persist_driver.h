// Puts promises and peers on disk, in a thread of its own: a slow disk must not silence the node.

#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/backoff.h"
#include "services/confab/time.h"
#include "services/confab/timer_thread.h"
#include "services/flock/member.h"

namespace radix::flock {

// Thread-safe.
class PersistDriver {
 public:
  // `on_stored` is called, on this driver's thread, for every promise that is on disk.
  PersistDriver(std::filesystem::path state, AddressRanges ranges,
                std::function<void(const Promise&)> on_stored);

  // Has `promise` stored, in place of one that still waits. While the disk fails this is logged as
  // an error and tried again, with back-off, for ever.
  void StorePromise(const Promise& promise);
  // Has `peers` stored. Tried once: they are a hint.
  void StorePeers(std::vector<IpAddress> peers);

 private:
  Instant Tick(Instant now);
  void TryPromise(const Promise& promise);

  const std::filesystem::path state_;
  const AddressRanges ranges_;
  const std::function<void(const Promise&)> on_stored_;
  std::mutex mutex_;
  std::optional<Promise> promise_;  // wanted on disk
  std::optional<std::vector<IpAddress>> peers_;
  Random random_;
  Backoff backoff_;
  Instant retry_at_{};
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::flock
