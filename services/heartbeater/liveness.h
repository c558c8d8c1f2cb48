// Decides which instances of one node are alive, from their heartbeats.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/time.h"
#include "services/registry/instance_table.h"

namespace radix::heartbeater {

// Names one stream of heartbeats, for as long as this process lives.
using StreamId = std::uint64_t;

// The process behind an instance.
struct Process {
  std::int32_t pid = 0;
  std::int64_t start_ticks = 0;  // clock ticks since boot, as in /proc/PID/stat

  auto operator<=>(const Process&) const = default;
};

// One heartbeat.
struct Beat {
  registry::Instance instance;  // its start_ns is the beat's issue time
  Duration validity{};          // how long it holds from its arrival; 0 < validity <= 60 s
  std::optional<Process> process;
};

// What became of a beat.
struct Accepted {
  bool changed = false;        // whether readers of the table have something to learn
  std::uint64_t revision = 0;  // the table's
  std::string warning;         // accepted, but probably not meant so; empty for nothing
};

// The instances of one node. An instance is alive from its first beat until a beat says otherwise,
// its stream ends, its process dies, or no beat came before the latest ran out. A stream that
// breaks is no end: reeve relays those of plugins, and may die alone. Not thread-safe.
class Liveness {
 public:
  static constexpr std::size_t kInstancesMax = 1024;
  // How long the dead are still listed.
  static constexpr Duration kRememberDead = 60s;

  // Takes a beat that arrived on `stream` at `now`. An instance belongs to the stream that beat for
  // it last: the end of an earlier one no longer matters.
  //
  // Errors, which change nothing:
  // * InvalidArgument: the stream carried another instance or process before.
  // * ResourceExhausted: there are kInstancesMax already.
  absl::StatusOr<Accepted> HandleBeat(StreamId stream, const Beat& beat, Instant now);

  // The stream has ended, or the process behind it. Returns whether that changed anything.
  bool HandleStreamEnd(StreamId stream, Instant now);

  // The stream broke; the process behind it need not have. Where that is known what it beat for
  // last holds until it runs out, another stream beats for it, or the process dies: then this
  // returns true, and its process is to be watched until TakeForgotten names it. Otherwise it is
  // for HandleStreamEnd.
  bool HandleStreamBreak(StreamId stream);

  // Broken streams that do not matter any more.
  std::vector<StreamId> TakeForgotten() { return std::exchange(forgotten_, {}); }

  // Declares dead whose beat has run out by `now`. Returns whether that changed anything.
  bool HandleTimeout(Instant now);

  // When HandleTimeout must next be called; Instant::max() for never. Beats may move it earlier.
  Instant NextTimeout() const;

  // The live ones.
  const registry::InstanceTable& table() const { return table_; }

  // The live ones and those that died within kRememberDead before the latest HandleTimeout, in
  // InstanceId order.
  std::vector<registry::Instance> List() const;

 private:
  struct Life {
    StreamId stream = 0;
    Instant expires_at;
  };
  struct Death {
    registry::Instance instance;
    Instant forget_at;
  };
  struct Stream {
    registry::InstanceId id;
    std::optional<Process> process;
    bool broken = false;
  };

  void ForgetBroken(StreamId stream);
  absl::Status CheckStream(StreamId stream, const Beat& beat) const;
  std::string WarningFor(const registry::InstanceId& id) const;
  void DisplaceOthersAt(const registry::InstanceId& id, Instant now);
  bool Bury(const registry::InstanceId& id, Instant now);

  registry::InstanceTable table_;
  std::map<registry::InstanceId, Life> lives_;    // exactly those of table_
  std::map<registry::InstanceId, Death> deaths_;  // at most kInstancesMax
  std::map<StreamId, Stream> streams_;            // those that beat and have not ended
  std::vector<StreamId> forgotten_;
};

}  // namespace radix::heartbeater
