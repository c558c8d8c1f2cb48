// Decides which services hang: those that no longer say that they are alive.
//
// A core: it kills nothing and knows no clock. What a service has to do before it may say so is in
// clients/cpp/pulse.h.

#pragma once

#include <map>
#include <optional>
#include <vector>

#include "services/confab/time.h"

namespace radix::fulcrum {

// When a service counts as hung. Every field has a working default.
struct WatchdogOptions {
  // Since it last said that it is alive; it does so about once a second.
  Duration silence = 10s;
  // Since it was started, as long as it has not said so yet: opening what lies on disk may take its
  // time.
  Duration start = 60s;
  // The most that may pass between two calls of this class and still count as time in which the
  // service could have spoken. In what is longer, the supervisor did not run either: the node was
  // stopped, or its virtual machine was. Requires: > 0.
  Duration look = 1s;
};

// The services that are watched, by process. After every call, call HandleTimeout no later than
// NextTimeout, and first pass on what the services have said meanwhile. Not thread-safe.
class Watchdog {
 public:
  explicit Watchdog(const WatchdogOptions& options = {}) : options_(options) {}

  // A process was started, or is no longer to be watched: it has ended, or was told to.
  void Watch(int pid, Instant now);
  void Forget(int pid);

  // It said that it is alive. Nothing happens for one that is not watched.
  void HandleAlive(int pid, Instant now);

  // Those that are silent for too long: each now, and again after as much silence more.
  struct Silent {
    int pid = 0;
    Duration silence{};
  };
  std::vector<Silent> HandleTimeout(Instant now);

  // When HandleTimeout must be called next; nullopt when nothing is watched.
  std::optional<Instant> NextTimeout() const;

 private:
  struct Process {
    Duration heard_at{};  // in looked-at time
    Duration limit{};
  };

  void Advance(Instant now);

  WatchdogOptions options_;
  std::map<int, Process> processes_;
  Instant last_call_;
  Duration looked_at_{};  // all the time in which a service could have spoken
};

}  // namespace radix::fulcrum
