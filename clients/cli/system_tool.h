// Programs of the system that the lab of network namespaces is made with: `ip` and `nft`.

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace radix::cli {

// Where the program `name` is: in PATH, or where Debian keeps what is for root. NotFound, naming
// the Debian `package` that has it.
absl::StatusOr<std::string> FindTool(const std::string& name, const std::string& package);

// Runs the program at `path` with `arguments`, and `input` as its standard input, to its end; in
// the network of the calling thread. Ctrl-C at this terminal does not reach it; the end of this
// process does, so that nothing is still being made when `lab down` removes it.
//
// Internal, with what it wrote to its standard error, unless it ended with 0.
absl::Status RunTool(const std::string& path, const std::vector<std::string>& arguments,
                     const std::string& input);

}  // namespace radix::cli
