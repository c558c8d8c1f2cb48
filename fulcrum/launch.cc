#include "fulcrum/launch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "services/confab/parent.h"

extern char** environ;

namespace radix::fulcrum {

int Launch(int argc, char** argv) {
  constexpr int kProgram = 3;
  confab::DieWithParent();
  if (argc < 2) {
    std::fputs("usage: fulcrum launch NAME [ARGUMENT]... 3<PROGRAM\n", stderr);
    return 127;
  }
  // A script's interpreter opens /dev/fd/3 after the exec, so it has to stay open for it.
  std::array<char, 2> start{};
  const bool is_script = pread(kProgram, start.data(), start.size(), 0) == 2 &&
                         std::strncmp(start.data(), "#!", start.size()) == 0;
  if (!is_script) fcntl(kProgram, F_SETFD, FD_CLOEXEC);
  fexecve(kProgram, argv + 1, environ);
  const int error = errno;
  std::fprintf(stderr, "fulcrum launch: cannot run %s: %s\n", argv[1], std::strerror(error));
  return error == ENOEXEC ? 126 : 127;
}

}  // namespace radix::fulcrum
