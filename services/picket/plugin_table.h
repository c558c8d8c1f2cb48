// Decides when plugins start, stop and start again, and whose orders count.
//
// A core: it starts nothing and knows no clock. Its caller tells it what was asked and what
// happened, and carries out what PollOrder asks for.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/picket/plugin.h"

namespace radix::picket {

// How plugins are kept. Every field has a working default.
struct TableOptions {
  // The wait before a plugin that ended is started again: `first_wait`, doubling up to `most_wait`,
  // with jitter. Requires: 0 < first_wait <= most_wait.
  Duration first_wait = 200ms;
  Duration most_wait = 10s;
  // A plugin that ran this long is sound again: its next end counts as the first.
  Duration stable_after = 30s;
  // Ends in a row, each before `stable_after`, that make a crash loop. Requires: > 0.
  int crash_loop_after = 5;
  // How long a plugin that was stopped is still listed.
  Duration remembered = 60s;
  // The most plugins that run, or are about to.
  std::size_t most = 512;
  // Time between SIGTERM and SIGKILL for what fulcrum no longer wants, and when the node ends.
  Duration own_grace = 10s;
};

// What the caller is to do.
struct Order {
  enum class Kind : std::uint8_t {
    kLaunch,     // start a process for `spec`; answer HandleSpawned or HandleLaunchFailed
    kTerminate,  // send SIGTERM to the process of `id`
    kKill,       // send SIGKILL to it
    kFence,      // have `epoch` remembered beyond this process
  };
  Kind kind = Kind::kLaunch;
  std::string id;
  PluginSpec spec;
  std::uint64_t epoch = 0;
};

// What became of a Start: its first process exists, or it could not be started.
struct Outcome {
  std::string id;
  absl::Status status;
};

// All plugins of a node, by id. After every call that takes `now`, carry out what PollOrder and
// PollOutcome give, then call HandleTimeout no later than NextTimeout. Not thread-safe.
class PluginTable {
 public:
  explicit PluginTable(std::uint64_t seed, const TableOptions& options = {})
      : options_(options), random_(seed) {}

  // Has `spec` run until it is stopped. Idempotent. When `starting(id)` holds afterwards, an
  // Outcome follows. Errors are those of PicketService.Start.
  absl::Status Start(std::uint64_t epoch, const PluginSpec& spec, Instant now);

  // Stops a plugin: SIGTERM, and SIGKILL after `grace`. Idempotent. Errors are those of
  // PicketService.Stop.
  absl::Status Stop(std::uint64_t epoch, const std::string& id, Duration grace, Instant now);

  // Has exactly these run for fulcrum: others of owner `fulcrum` are stopped.
  void Want(std::vector<PluginSpec> specs, Instant now);

  // Stops everything and starts nothing any more: the node ends.
  void StopAll(Instant now);

  // What an earlier picket left: a process that runs, or, with `ended`, how it ended. `terminated`:
  // it had been told to.
  struct Left {
    PluginSpec spec;
    int pid = 0;
    Instant started_at;
    bool terminated = false;
    std::optional<std::string> ended;
  };
  void Adopt(const Left& left, Instant now);

  // The greatest epoch that an earlier picket had seen.
  void ResumeFence(std::uint64_t epoch);

  // The process that kLaunch asked for exists; or could not be started.
  void HandleSpawned(const std::string& id, int pid, Instant now);
  void HandleLaunchFailed(const std::string& id, const absl::Status& why, Instant now);

  // A process has ended; `how` is for people.
  void HandleExit(const std::string& id, int pid, const std::string& how, Instant now);

  // As what plugins wanted to be registered that were refused, by id: all of them.
  void HandleRefusals(const std::map<std::string, Registration>& refusals);

  // Acts on what has fallen due.
  void HandleTimeout(Instant now);

  // When HandleTimeout must be called next; nullopt when nothing is waited for.
  std::optional<Instant> NextTimeout() const;

  std::optional<Order> PollOrder();
  std::optional<Outcome> PollOutcome();

  // Whether the first process of `id` is still to come.
  bool starting(const std::string& id) const;

  // The plugin of that id; nullopt when there is none.
  std::optional<Plugin> Find(const std::string& id) const;

  // Them all, by id, those that were stopped lately too.
  std::vector<Plugin> List() const;

  // Raised by every change of what List gives.
  std::uint64_t revision() const { return revision_; }

 private:
  struct Entry {
    Plugin plugin;
    Backoff wait;
    int failures = 0;
    bool launching = false;            // between kLaunch and its answer
    Duration grace{};                  // for a process that is still to come, to be stopped at once
    std::optional<Instant> start_at;   // when it is due; only in kBackoff
    std::optional<Instant> kill_at;    // set from SIGTERM on
    std::optional<Instant> forget_at;  // only in kStopped
  };

  absl::Status Fence(std::uint64_t epoch);
  Entry& Insert(const PluginSpec& spec);
  void Launch(Entry& entry);
  void StopEntry(Entry& entry, Duration grace, Instant now);
  void Terminate(Entry& entry, Instant now);
  void Ended(Entry& entry, Instant now);
  void Fail(Entry& entry, const std::string& how, Instant now);
  void LaunchWanted(Instant now);
  void Tell(const std::string& id, absl::Status status);
  std::size_t active() const;

  TableOptions options_;
  Random random_;
  std::map<std::string, Entry> entries_;
  std::vector<PluginSpec> wanted_;
  std::uint64_t fence_ = 0;
  std::uint64_t revision_ = 0;
  bool ending_ = false;
  std::deque<Order> orders_;
  std::deque<Outcome> outcomes_;
};

}  // namespace radix::picket
