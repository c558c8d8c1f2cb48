// The messages about applications' keys, checked.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "radix/trust/v1/pairing.pb.h"
#include "services/trust/endpoint_table.h"
#include "services/trust/guarded_endpoint.h"
#include "services/trust/pair.h"
#include "services/trust/pair_table.h"
#include "services/trust/whitelist.h"

namespace radix::trust {

// All that read return InvalidArgument, naming the field, for what is malformed.

absl::StatusOr<KeyId> KeyFrom(const std::string& field, const std::string& text);

absl::StatusOr<GuardedEndpoint> EndpointFrom(const v1::GuardedEndpoint& message);
v1::GuardedEndpoint ToProto(const GuardedEndpoint& served);

absl::StatusOr<Pair> PairFrom(const std::string& field, const v1::Pair& message);
v1::Pair ToProto(const Pair& pair);

absl::StatusOr<Admission> AdmissionFrom(const v1::Admission& message);
v1::Admission ToProto(const Admission& admission);

v1::AdmittedCaller ToProto(const Caller& caller);

// Without what was revoked.
v1::GuardResponse ToProto(const EndpointTable::Update& update);
absl::StatusOr<Whitelist::News> NewsFrom(const v1::GuardResponse& message);

v1::AnnounceRequest ToProto(const PairTable::Announcement& announcement);
absl::StatusOr<PairTable::Announcement> AnnouncementFrom(const v1::AnnounceRequest& message);

}  // namespace radix::trust
