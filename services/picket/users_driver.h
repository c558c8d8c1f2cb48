// Which users there are, and whether this process may start others' processes.

#pragma once

#include <cstdint>

namespace radix::picket {

// Whether plugins may run as users of their own: this process is root, with the capabilities that
// this takes, where the numbers of plugins' users mean something (not in every container).
bool MayRunAsOthers();

// Whether somebody else has that number, for a user or a group: it is in /etc, or systemd gave it
// to a service of the moment. Others, of a directory on the network for example, are not known.
bool IsTakenUser(std::uint32_t uid);

}  // namespace radix::picket
