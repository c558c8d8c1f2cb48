// Each of a thousand simulated nodes verifies the same signature of the same statement, both sides
// of a pair come to the same secret, and what one seals another opens. Those are pure functions:
// with this the process asks libsodium once, and gives the same answer again to who asks the very
// same question. Nothing in production knows of it: flock_sim has the linker put it in between.

#pragma once

namespace radix::sim {

// From now on, in this process. By default each question is asked anew. Not thread-safe.
void RememberCrypto();

}  // namespace radix::sim
