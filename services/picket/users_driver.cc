#include "services/picket/users_driver.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/confab/plugin_user.h"

namespace radix::picket {
namespace {

// Those in force.
std::uint64_t Capabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return 0;
}

// Whether all numbers of plugins' users are numbers here, by /proc/self/uid_map or gid_map.
bool IsMapped(const char* map) {
  std::ifstream lines(map);
  for (std::uint64_t inside = 0, outside = 0, count = 0; lines >> inside >> outside >> count;) {
    if (inside <= kPluginUserMin && kPluginUserMax < inside + count) return true;
  }
  return false;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

}  // namespace

bool MayRunAsOthers() {
  std::uint64_t needed = 0;
  for (const int each : {CAP_CHOWN, CAP_SETUID, CAP_SETGID, CAP_KILL}) {
    needed |= std::uint64_t{1} << each;
  }
  return geteuid() == 0 && (Capabilities() & needed) == needed && IsMapped("/proc/self/uid_map") &&
         IsMapped("/proc/self/gid_map");
}

bool IsTakenUser(std::uint32_t uid) {
  if (access(absl::StrCat("/run/systemd/dynamic-uid/", uid).c_str(), F_OK) == 0) return true;
  const File users(std::fopen("/etc/passwd", "re"), std::fclose);
  while (users != nullptr) {
    const passwd* const user = fgetpwent(users.get());
    if (user == nullptr) break;
    if (user->pw_uid == uid || user->pw_gid == uid) return true;
  }
  const File groups(std::fopen("/etc/group", "re"), std::fclose);
  while (groups != nullptr) {
    const group* const each = fgetgrent(groups.get());
    if (each == nullptr) break;
    if (each->gr_gid == uid) return true;
  }
  return false;
}

}  // namespace radix::picket
