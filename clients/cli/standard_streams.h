// What `radix` was given to print to.

#pragma once

namespace radix::cli {

// To be called before anything is opened: if standard input, output or error is closed, a socket or
// a file would take its place and get what is printed. One that cannot be written to takes it.
void TakeMissingStreams();

// Turns `code` into the exit code: kExitRefused, and a word on stderr, when it was kExitOk but what
// was printed did not get out. Who reads it would take nothing for an answer.
int FlushOutput(int code);

}  // namespace radix::cli
