// Ctrl-C as a fact that can be asked for, so that what was begun can be undone.

#pragma once

namespace radix::cli {

// From now on SIGINT, SIGTERM and SIGHUP no longer end this process.
void CatchInterrupts();

// Whether one of them came since.
bool Interrupted();

}  // namespace radix::cli
