// `fulcrum steward`: the entry point of the process.

#pragma once

namespace radix::steward {

// Runs until SIGTERM, or until the lease of `--epoch` has run out; returns the exit status.
// `argv[0]` is the service's name, the rest is what confab::ParseServiceArguments reads.
int Run(int argc, char** argv);

}  // namespace radix::steward
