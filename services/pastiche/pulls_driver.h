// Carries out pulls: asks reeve who the peers are, streams a file from one, checks and stores it.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/checksum.h"
#include "services/confab/node.h"
#include "services/pastiche/pull.h"
#include "services/pastiche/store_driver.h"
#include "services/pastiche/transfers_driver.h"

namespace radix::pastiche {

// How a pull ended well.
struct Pulled {
  std::int64_t size_bytes = 0;
  std::string source;  // the node that it came from; empty when it was here already
};

// All pulls of a node. Those of one file share one transfer. Each runs on a thread of its own,
// which waits most of the time; how many there are Transfers limits. Thread-safe.
class Pulls {
 public:
  using OnEnd = std::function<void(const absl::StatusOr<Pulled>&)>;

  // `store` and `transfers` must outlive it.
  Pulls(confab::Node node, const Store& store, Transfers& transfers, PullOptions options = {});

  // Ends all pulls with CANCELLED and waits for them.
  ~Pulls();

  // Makes a file local, checking it first if it seems to be here. `on_end` is called once, from
  // another thread or, when the pull cannot even begin, from this one; it must not block.
  //
  // It ends with NotFound or Unavailable, listing what was tried; with ResourceExhausted when there
  // is no room, or when there are too many transfers, or more than 1,024 who wait for one file; or
  // as the store fails.
  void Request(const Checksum& checksum, OnEnd on_end);

 private:
  struct Running {
    std::vector<OnEnd> waiting;
    std::unique_ptr<Transfer> transfer;
    std::thread thread;
  };

  // How one fetch ended.
  struct Fetched {
    absl::StatusOr<FileInfo> file;
    Failure failure = Failure::kBroken;  // the peer's, if there is no file
    bool local = false;                  // it was no peer's fault, but this node's
  };

  void Run(const Checksum& checksum);
  absl::StatusOr<Pulled> PullFile(const Checksum& checksum);
  void Lookup(Pull& pull) const;
  Fetched Fetch(const Checksum& checksum, const Peer& peer);
  bool WaitUntil(Instant until);  // false: stopping

  const confab::Node node_;
  const Store& store_;
  Transfers& transfers_;
  const PullOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::map<Checksum, Running> running_;
  std::map<std::uint64_t, std::function<void()>> fetches_;  // how to cancel each
  std::uint64_t next_fetch_ = 0;
  std::vector<std::thread> ended_;  // to be joined
};

}  // namespace radix::pastiche
