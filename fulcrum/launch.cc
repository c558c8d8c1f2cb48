#include "fulcrum/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "absl/strings/numbers.h"
#include "services/confab/parent.h"

extern char** environ;

namespace radix::fulcrum {

namespace {

// Leaves nothing of what the user before had. From root to another user the kernel takes all
// capabilities but the inheritable and the bounding ones: without set-user-ID programs, which no
// longer are such, neither gives any back.
bool Become(std::uint32_t uid) {
  if (uid == 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
         setresuid(uid, uid, uid) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         setuid(0) != 0;
}

}  // namespace

int Launch(int argc, char** argv) {
  constexpr int kProgram = 3;
  std::uint32_t uid = 0;
  if (argc < 3 || !absl::SimpleAtoi(argv[1], &uid)) {
    std::fputs("usage: fulcrum launch UID NAME [ARGUMENT]... 3<PROGRAM\n", stderr);
    return 127;
  }
  if (!Become(uid)) {
    std::fprintf(stderr, "fulcrum launch: cannot become user %s: %s\n", argv[1],
                 std::strerror(errno));
    return 127;
  }
  confab::DieWithParent();
  // A script's interpreter opens /dev/fd/3 after the exec, so it has to stay open for it.
  std::array<char, 2> start{};
  const bool is_script = pread(kProgram, start.data(), start.size(), 0) == 2 &&
                         std::strncmp(start.data(), "#!", start.size()) == 0;
  if (!is_script) fcntl(kProgram, F_SETFD, FD_CLOEXEC);
  fexecve(kProgram, argv + 2, environ);
  const int error = errno;
  std::fprintf(stderr, "fulcrum launch: cannot run %s: %s\n", argv[2], std::strerror(error));
  return error == ENOEXEC ? 126 : 127;
}

}  // namespace radix::fulcrum
