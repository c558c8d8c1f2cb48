// The group, in the words of protos/radix/flock/v1.

#pragma once

#include "radix/flock/v1/flock.pb.h"
#include "services/flock/event_log_driver.h"
#include "services/flock/flock_driver.h"

namespace radix::flock {

v1::ListMembersResponse ToMembers(const Group& group);

// `revision` is left out: it is the service's to count.
v1::WatchGroupResponse ToWatch(const Group& group);

v1::Event ToProto(const Happening& happening);

v1::ExplainNodeResponse ToProto(const Account& account);

v1::GetCountersResponse ToProto(const Counters& counters, std::uint64_t unsent);

}  // namespace radix::flock
