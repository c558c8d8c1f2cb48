// `fulcrum launch`: becomes a program that knows nothing of Radix.

#pragma once

namespace radix::fulcrum {

// Becomes the program behind descriptor 3, with argv[1], argv[2], ... as its argv, after tying this
// process to its parent: a program of others cannot do that for itself, and it must be done after
// the last exec but one. (exec keeps PR_SET_PDEATHSIG, but for set-user-ID programs.)
//
// Returns only when that fails: 126 when it is no program for this machine, 127 otherwise.
int Launch(int argc, char** argv);

}  // namespace radix::fulcrum
