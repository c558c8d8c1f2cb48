// `fulcrum healthminder`: the entry point of the process.

#pragma once

namespace radix::healthminder {

// Runs until SIGTERM; returns the exit status. `argv[0]` is the service's name, the rest is what
// confab::ParseServiceArguments reads.
int Run(int argc, char** argv);

}  // namespace radix::healthminder
