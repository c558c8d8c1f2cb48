// Every byte that arrives after authentication: members that hold all keys, and lie. See siege.h.

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/siege.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  radix::fuzz::Siege().Run(std::span(data, size));
  return 0;
}
