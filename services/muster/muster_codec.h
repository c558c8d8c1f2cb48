// The inventory's messages, turned into checked values and back.

#pragma once

#include "absl/status/statusor.h"
#include "radix/muster/v1/muster.pb.h"
#include "services/muster/inventory.h"

namespace radix::muster {

// All of these: InvalidArgument, beginning with the field's name, for what the proto forbids.

// An entry to register, without its time.
absl::StatusOr<EntryId> EntryIdFrom(const v1::RegisterRequest& message);

absl::StatusOr<Query> QueryFrom(const v1::SearchRequest& message);

// An entry as it was kept among the group's decisions, and back.
absl::StatusOr<Entry> EntryFromBytes(const std::string& bytes);
std::string ToBytes(const Entry& entry);

v1::Entry ToProto(const Entry& entry);

}  // namespace radix::muster
