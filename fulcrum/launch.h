// `fulcrum launch`: becomes a program that knows nothing of Radix.

#pragma once

namespace radix::fulcrum {

// Becomes the program behind descriptor 3, with argv[2], argv[3], ... as its argv, as the user and
// the group argv[1], with no other group, no capability, and no way to more of either; "0": as who
// this process is. Before, it ties this process to its parent: a program of others cannot do that
// for itself, and it must be done after the last exec but one, and after the change of user. (exec
// keeps PR_SET_PDEATHSIG, but for programs that change the user, which it does not do here.)
//
// Returns only when that fails: 126 when it is no program for this machine, 127 otherwise.
int Launch(int argc, char** argv);

}  // namespace radix::fulcrum
