// Ends a connection that somebody else, gRPC, goes on to read.

#pragma once

namespace radix::confab {

// Whoever reads `socket` finds the end at once. shutdown(2) would leave to gRPC what has come and
// was not read yet: enough for 100,000 calls.
void Disconnect(int socket);

}  // namespace radix::confab
