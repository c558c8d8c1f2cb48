#include "clients/cli/log_tail.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTailLines = 5;
constexpr std::size_t kErrorsMax = 10;

// The logs of one node, by name.
std::vector<fs::path> LogsOf(const LabNode& node) {
  std::vector<fs::path> logs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(node.state / "log", error)) {
    if (entry.path().extension() == ".log") logs.push_back(entry.path());
  }
  std::sort(logs.begin(), logs.end());
  return logs;
}

// Empty when there is none.
std::string LastErrorOf(const fs::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    // As services/confab/log.cc writes it: TIME NAME[PID] LEVEL: TEXT.
    const bool is_error = line.find("] error: ") != std::string::npos ||
                          line.find("] critical: ") != std::string::npos;
    if (is_error) last = line;
  }
  return last;
}

}  // namespace

std::string LogTail(const LabNode& node) {
  std::ifstream file(node.state / "log" / "fulcrum.log");
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > kTailLines) lines.pop_front();
  }
  std::string tail;
  for (const std::string& line : lines) absl::StrAppend(&tail, "\n  ", line);
  return tail;
}

std::string LastErrors(const std::vector<LabNode>& nodes) {
  std::string errors;
  std::size_t count = 0;
  for (const LabNode& node : nodes) {
    for (const fs::path& log : LogsOf(node)) {
      const std::string last = LastErrorOf(log);
      if (last.empty() || count == kErrorsMax) continue;
      ++count;
      absl::StrAppend(&errors, "\n  ", node.name, "/", log.filename().string(), ": ", last);
    }
  }
  return errors;
}

}  // namespace radix::cli
