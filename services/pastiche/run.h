// Runs pastiche in this process.

#pragma once

namespace radix::pastiche {

// Serves until told to stop; returns the exit status. `argv[0]` is the service's name. Takes the
// arguments of a built-in service, or none and a plugin's environment.
int Run(int argc, char** argv);

}  // namespace radix::pastiche
