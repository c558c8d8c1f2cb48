#include "fulcrum/process_tree.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/confab/process_stat.h"

namespace radix::fulcrum {
namespace {

constexpr char kPluginVariable[] = "RADIX_PLUGIN=";

}  // namespace

std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::atoi(name.c_str());
    const auto stat = confab::ReadProcessStat(pid);
    if (stat && stat->parent == getpid()) children.push_back(pid);
  }
  return children;
}

void KillGroup(pid_t pid) {
  kill(-pid, SIGKILL);
  kill(pid, SIGKILL);  // should it have moved to another group
}

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return absl::StrCat("killed by signal ", signal, " (", strsignal(signal), ")");
  }
  return absl::StrCat("ended with status ", WEXITSTATUS(wait_status));
}

std::string PluginVariable(const std::string& id) { return kPluginVariable + id; }

std::string PluginOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/environ"), std::ios::binary);
  for (std::string variable; std::getline(file, variable, '\0');) {
    if (variable.starts_with(kPluginVariable)) return variable.substr(sizeof kPluginVariable - 1);
  }
  return "";
}

}  // namespace radix::fulcrum
