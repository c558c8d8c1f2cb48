// The logs of a node, in one folder: NAME.log of each process, and NAME.log.1, what it said before.

#pragma once

#include <cstdint>
#include <filesystem>

namespace radix::fulcrum {

// A log is never longer for long.
constexpr std::uintmax_t kLogBytesMax = 8 << 20;

// Shortens every NAME.log in `folder` that is longer than kLogBytesMax: its last kLogBytesMax bytes
// become NAME.log.1, and it begins anew. Its process notices nothing, as long as it appends
// (O_APPEND); a line that it writes at that very moment may be lost. Where there is no room for
// NAME.log.1, that is lost too. Only regular files: what somebody put there instead is left alone.
//
// Called every second, so that a log holds at most what its process writes in a second beyond that.
void BoundLogs(const std::filesystem::path& folder);

// The last line that was written to `log`, at most 300 bytes of it; empty if there is none.
std::string LastLine(const std::filesystem::path& log);

}  // namespace radix::fulcrum
