// Runs picket in this process.

#pragma once

namespace radix::picket {

// Serves until told to stop; returns the exit status. `argv[0]` is the service's name. Its plugins
// are the supervisor's children and run on when it ends.
int Run(int argc, char** argv);

}  // namespace radix::picket
