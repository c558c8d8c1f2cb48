// Decides when the supervisor's own services start, stop and start again.
//
// A core: it starts nothing and knows no clock. Its caller tells it what happened and carries out
// what PollAction asks for.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix::fulcrum {

// How services are kept. Every field has a working default.
struct KeeperOptions {
  // The wait before a service that ended is started again: `first_wait`, doubling up to
  // `most_wait`, with jitter. Requires: 0 < first_wait <= most_wait.
  Duration first_wait = 100ms;
  Duration most_wait = 5s;
  // A service that ran this long is sound again: its next end counts as the first.
  Duration stable_after = 30s;
  // Ends in a row, each before `stable_after`, that make a crash loop. Requires: > 0.
  int crash_loop_after = 5;
  // Time between SIGTERM and SIGKILL.
  Duration stop_limit = 5s;
};

// What the caller is to do.
struct Action {
  enum class Kind : std::uint8_t {
    kSpawn,      // start `service` with `arguments`; answer HandleSpawned or HandleSpawnFailed
    kTerminate,  // send SIGTERM to `pid`
    kKill,       // send SIGKILL to `pid` and its process group
    kInform,     // log `text`
    kWarn,       // log `text`, loudly
  };
  Kind kind = Kind::kInform;
  std::string service;
  std::vector<std::string> arguments;
  int pid = 0;
  std::string text;
};

// The services of one node, by name, and their processes: at most one each. After every call that
// takes `now`, carry out what PollAction gives, then call HandleTimeout no later than NextTimeout.
// Not thread-safe.
class Keeper {
 public:
  explicit Keeper(std::uint64_t seed, const KeeperOptions& options = {})
      : options_(options), random_(seed) {}

  // Has `service` run with `arguments` until End. Where it runs with others, that process is ended
  // first. Idempotent.
  void Keep(const std::string& service, std::vector<std::string> arguments, Instant now);

  // Has `service` end, with SIGTERM and after stop_limit with SIGKILL. Idempotent.
  void End(const std::string& service, Instant now);

  // The process that kSpawn asked for exists; or could not be started, and why.
  void HandleSpawned(const std::string& service, int pid, Instant now);
  void HandleSpawnFailed(const std::string& service, const std::string& why, Instant now);

  // A process has ended; `how` is for people. Nothing happens when it was none of these.
  void HandleExit(int pid, const std::string& how, Instant now);

  // The service says that it serves.
  void HandleReady(const std::string& service);

  // Acts on what has fallen due.
  void HandleTimeout(Instant now);

  // When HandleTimeout must be called next; nullopt when nothing is waited for.
  std::optional<Instant> NextTimeout() const;

  // Takes the next thing to do, oldest first.
  std::optional<Action> PollAction();

  // Whether `service` runs and has said that it serves.
  bool IsReady(const std::string& service) const;

  // The service that `pid` is the process of; empty when it is none's.
  std::string NameOf(int pid) const;

  // The process of `service`; 0 without one.
  int PidOf(const std::string& service) const;

 private:
  struct Service {
    std::optional<std::vector<std::string>> wanted;  // its arguments; nullopt: it is to end
    std::vector<std::string> running;                // the arguments of the process
    int pid = 0;
    bool ready = false;
    bool spawning = false;  // between kSpawn and its answer
    Instant started_at;
    std::optional<Instant> start_at;  // when it is due; only without a process
    std::optional<Instant> kill_at;   // set from SIGTERM on
    Backoff wait;
    int failures = 0;
  };

  void Start(const std::string& name, Service& service);
  void Terminate(const std::string& name, Service& service, Instant now);
  void Fail(const std::string& name, Service& service, const std::string& how, Instant now);
  void Say(Action::Kind kind, std::string text);

  KeeperOptions options_;
  Random random_;
  std::map<std::string, Service> services_;
  std::deque<Action> actions_;
};

}  // namespace radix::fulcrum
