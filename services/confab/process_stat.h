// What the kernel tells of a process in /proc/PID/stat.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace radix::confab {

struct ProcessStat {
  char state = '\0';  // as in proc(5): 'R' runs, 'T' is stopped, 'Z' is a zombie, ...
  pid_t parent = 0;
  std::int64_t start_ticks = 0;  // when it started, in clock ticks since boot; with the process's
                                 // number it names the process for good
};

// Reads the text of a stat file; nullopt when it is none. The process's own name, which it may
// choose freely, misleads it in no way.
std::optional<ProcessStat> ParseProcessStat(std::string_view text);

// The stat of a process that is there, zombies included; nullopt when there is none.
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

}  // namespace radix::confab
