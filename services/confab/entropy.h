// True randomness, from the kernel.

#pragma once

#include <cstdint>
#include <span>

namespace radix::confab {

// Fills `bytes` from the kernel; good enough for keys. Waits until the kernel has gathered enough
// entropy, which matters only in the first second of a machine's life. Thread-safe.
void FillRandom(std::span<std::uint8_t> bytes);

// A seed for a core's Random, or a boot nonce. Thread-safe.
std::uint64_t RandomNumber();

}  // namespace radix::confab
