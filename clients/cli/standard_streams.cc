#include "clients/cli/standard_streams.h"

#include <fcntl.h>

#include <cstdlib>
#include <iostream>

#include "absl/status/status.h"
#include "clients/cli/output.h"

namespace radix::cli {

void TakeMissingStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) std::_Exit(kExitRefused);
  }
}

int FlushOutput(int code) {
  std::cout.flush();
  if (std::cout.good() || code != kExitOk) return code;
  return Fail(absl::DataLossError("what was to be printed could not be written"));
}

}  // namespace radix::cli
