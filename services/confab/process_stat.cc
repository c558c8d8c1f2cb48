#include "services/confab/process_stat.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace radix::confab {

std::optional<ProcessStat> ParseProcessStat(std::string_view text) {
  // The second field, the name in parentheses, may hold anything, so counting starts behind the
  // last parenthesis.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  const std::string rest(text.substr(name_end + 1));
  ProcessStat stat;
  // Fields 3 and 4, and, behind seventeen others, 22.
  const int read = std::sscanf(rest.c_str(),
                               " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                               " %*s %*s %" SCNd64,
                               &stat.state, &stat.parent, &stat.start_ticks);
  if (read != 3) return std::nullopt;
  return stat;
}

std::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::ostringstream text;
  text << file.rdbuf();
  return ParseProcessStat(std::move(text).str());
}

}  // namespace radix::confab
