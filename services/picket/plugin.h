// What picket runs, as values.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/time.h"

namespace radix::picket {

// As what something registers.
struct Registration {
  std::string horde;
  std::string api;
  std::string inst;

  bool operator==(const Registration&) const = default;
};

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

  // Whether it is of the fulcrum binary: part of the node, not a guest.
  bool is_built_in() const { return file.starts_with("builtin:"); }
  // What its manifest calls it: ids are SERVICE.VERSION.ORDINAL.
  std::string service() const { return id.substr(0, id.find('.')); }
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
  // What its door refused last, and nothing was taken since.
  std::optional<Registration> refused;
};

// The owner of what fulcrum itself wants to run; and of the node's built-in list.
inline constexpr char kFulcrum[] = "fulcrum";
inline constexpr char kDean[] = "dean";

}  // namespace radix::picket
