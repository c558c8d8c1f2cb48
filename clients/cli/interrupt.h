// Ctrl-C as a fact that can be asked for and waited for, so that what was begun can be undone.

#pragma once

namespace radix::cli {

// From now on SIGINT, SIGTERM and SIGHUP no longer end this process. Returns a descriptor that is
// readable once one of them came, and stays so; it lives as long as the process.
int CatchInterrupts();

// Whether one of them came since.
bool Interrupted();

}  // namespace radix::cli
