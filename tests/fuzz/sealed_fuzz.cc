// Every byte that arrives after authentication: members that hold all keys, and lie. See siege.h.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/siege.h"
#include "tests/fuzz/target.h"

// It seals its datagrams itself, with the header of today.
std::string radix::fuzz::MissingFrom(const std::vector<std::vector<std::uint8_t>>&) { return ""; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  radix::fuzz::Siege().Run(std::span(data, size));
  return 0;
}
