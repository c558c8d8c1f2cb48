// What picket runs, as values.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/confab/time.h"

namespace radix::picket {

// What is to run. One that exists has passed the checks of picket_codec.h.
struct PluginSpec {
  std::string id;     // names it, and its log, on this node
  std::string owner;  // who decides about it: a manifest, `dean`, or `fulcrum`
  std::string horde;
  std::string api;
  std::string inst;
  std::string file;  // `sha256:HEX`, an absolute path, or `builtin:SERVICE`
  std::vector<std::string> args;
  std::vector<std::string> env;  // NAME=value

  bool operator==(const PluginSpec&) const = default;
};

enum class PluginState : std::uint8_t {
  kStarting,  // its first process does not exist yet
  kRunning,
  kBackoff,   // it ended by itself and waits for its next start
  kStopping,  // it was told to stop and has not ended yet
  kStopped,   // it was stopped and has ended
};

// One plugin as it is now.
struct Plugin {
  PluginSpec spec;
  PluginState state = PluginState::kStarting;
  int pid = 0;         // 0 without a process
  Instant started_at;  // when that process was started
  std::int64_t restart_count = 0;
  std::string last_exit;  // how the last process ended, for people
};

// The owner of what fulcrum itself wants to run; and of the node's built-in list.
inline constexpr char kFulcrum[] = "fulcrum";
inline constexpr char kDean[] = "dean";

}  // namespace radix::picket
