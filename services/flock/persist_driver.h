// Puts promises, keys, peers and revocations on disk, in a thread of its own: a slow disk must not
// silence the node.

#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/backoff.h"
#include "services/confab/time.h"
#include "services/confab/timer_thread.h"
#include "services/flock/flock.h"
#include "services/flock/member.h"

namespace radix::flock {

// Where things are kept.
struct PersistPlaces {
  std::filesystem::path state;     // the node's folder
  std::filesystem::path key_file;  // may be shared with other nodes of this machine
  std::string node;                // tells the writers of a shared file apart
};

// Thread-safe.
class PersistDriver {
 public:
  // Called on this driver's thread for everything that is on disk.
  struct Handlers {
    std::function<void(const Promise&)> on_promise;
    // The disk refused it; it is tried again, and this is not called for the same one again.
    std::function<void(const Promise&)> on_promise_refused;
    std::function<void(std::uint32_t)> on_key_file;  // its version
  };

  PersistDriver(PersistPlaces places, AddressRanges ranges, Handlers handlers);

  // Has `promise` stored, in place of one that still waits: tries at once. While the disk fails
  // this is logged as an error and tried again, with back-off, for ever.
  void StorePromise(const Promise& promise);
  // Has the key file replaced; otherwise likewise.
  void StoreKeyFile(const KeyFile& file);
  // Has those stored that were revoked; otherwise likewise.
  void StoreRevoked(std::vector<std::uint64_t> fingerprints);
  // Has `peers` stored. Tried once: they are a hint.
  void StorePeers(std::vector<IpAddress> peers);

 private:
  // When something that failed is tried again.
  struct Retry {
    Backoff backoff{100ms, 5s};
    Instant at{};
  };

  Instant Tick(Instant now);
  void TryPromise(const Promise& promise);
  void TryKeyFile(const KeyFile& file);
  void TryRevoked(const std::vector<std::uint64_t>& fingerprints);
  // Notes how it went; returns whether it went well.
  bool Note(const absl::Status& stored, Retry& retry, const std::string& otherwise);

  const PersistPlaces places_;
  const AddressRanges ranges_;
  const Handlers handlers_;
  std::mutex mutex_;
  std::optional<Promise> promise_;  // wanted on disk
  bool promise_refused_ = false;    // the same, and that was told
  std::optional<KeyFile> key_file_;
  std::optional<std::vector<std::uint64_t>> revoked_;
  std::optional<std::vector<IpAddress>> peers_;
  Random random_;
  Retry promise_retry_;
  Retry key_file_retry_;
  Retry revoked_retry_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::flock
