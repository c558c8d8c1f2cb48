// The watchers of events: each is served from the history, at its own pace.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "radix/flock/v1/flock.pb.h"
#include "services/confab/server_stream.h"
#include "services/confab/time.h"
#include "services/confab/timer_thread.h"
#include "services/flock/flock_driver.h"

namespace radix::flock {

// What a slow reader lacks is a number, the last event that it was sent, and no queue. Thread-safe.
class EventWatchService {
 public:
  static constexpr std::size_t kWatchersMax = 64;
  static constexpr std::size_t kBatch = 256;

  // `driver` must outlive it.
  explicit EventWatchService(const FlockDriver& driver);

  // A stream of the events after `sequence`; of new ones only if that is negative.
  grpc::ServerWriteReactor<v1::WatchEventsResponse>* Add(std::int64_t sequence);

  // Something may have happened: sends it, soon and on another thread.
  void Wake() { timer_.Wake(); }

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using Stream = confab::ServerStream<v1::WatchEventsResponse>;

  Instant Tick(Instant now);
  std::map<std::shared_ptr<Stream>, std::int64_t> Watchers();
  // Sends what `stream` lacks. False when it takes no more for now.
  bool Serve(Stream& stream, std::int64_t& sent);

  const FlockDriver& driver_;
  std::mutex mutex_;
  std::map<std::shared_ptr<Stream>, std::int64_t> watchers_;  // the last event that each was sent
  bool ended_ = false;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::flock
