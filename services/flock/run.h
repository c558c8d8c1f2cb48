// `fulcrum flock`: the entry point of the process.

#pragma once

namespace radix::flock {

// Runs until SIGTERM, then leaves the flock; returns the exit status. `argv[0]` is the service's
// name, the rest is what confab::ParseServiceArguments reads.
int Run(int argc, char** argv);

}  // namespace radix::flock
