// The processes that the supervisor has started for picket. It is their parent; picket owns them.
//
// A core: it decides nothing but whose a process is, and remembers what a picket that was replaced
// needs to know to go on.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "services/confab/time.h"

namespace radix::fulcrum {

// One process of picket's.
struct Guest {
  int pid = 0;
  std::string tag;        // picket's own notes about it
  std::uint32_t uid = 0;  // as which user it runs; 0: as this one
  Instant started_at;
  bool terminated = false;         // picket has sent it SIGTERM or SIGKILL
  std::optional<int> wait_status;  // as wait(2) gives it, once it has ended
  Instant ended_at;
};

// Them all, by id. Not thread-safe.
class Guests {
 public:
  // The most that there may be at once, and how long one that ended is remembered.
  static constexpr std::size_t kMost = 1024;
  static constexpr Duration kRemembered = 60s;

  // Whether a process may be started as `id`: AlreadyExists when one runs, ResourceExhausted when
  // there are kMost. Forgets those that ended long ago.
  absl::Status Admit(const std::string& id, Instant now);

  // It was started. Requires: Admit said OK.
  void Add(const std::string& id, int pid, std::string tag, Instant now, std::uint32_t uid = 0);

  // The process to which picket may send a signal now, and notes that it does; 0 when none of that
  // id runs.
  int Signal(const std::string& id, int signal);

  // A process has ended. Returns its id; nullopt when it was none of these.
  std::optional<std::string> HandleExit(int pid, int wait_status, Instant now);

  // How many run.
  std::size_t running() const;

  // Those that run and those that ended lately.
  const std::map<std::string, Guest>& all() const { return guests_; }

 private:
  void Forget(Instant now);

  std::map<std::string, Guest> guests_;
};

}  // namespace radix::fulcrum
