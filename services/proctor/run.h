// Runs proctor, or dean, in this process.

#pragma once

namespace radix::proctor {

// The group's half, on the sealed leader: `fulcrum proctor --epoch E ...`. Serves until told to
// stop or its epoch is over; returns the exit status.
int RunProctor(int argc, char** argv);

// A node's half, on every node. Serves until told to stop; returns the exit status.
int RunDean(int argc, char** argv);

}  // namespace radix::proctor
