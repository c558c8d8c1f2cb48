// reeve's messages.

#pragma once

#include "radix/registry/v1/registry.pb.h"
#include "services/registry/instance.h"

namespace radix::reeve {

// An instance as reeve shows it. A copy hears of changes, not of beats; but while its own
// heartbeater lists an instance, the latest beat is at most a second old and holds for three. So
// valid_until_time is at least `now_ns` + 2 s.
registry::v1::Instance ToProto(registry::Instance instance, std::int64_t now_ns);

}  // namespace radix::reeve
