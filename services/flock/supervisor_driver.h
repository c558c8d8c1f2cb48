// Tells the supervisor whether this node leads: it starts and ends what only a leader runs.

#pragma once

#include <cstdint>
#include <optional>

namespace radix::flock {

// This node is the sealed leader under `epoch`; nullopt: it is not. False: it was not passed on,
// which is logged. True where there is no supervisor.
bool TellSupervisor(std::optional<std::uint64_t> epoch);

}  // namespace radix::flock
