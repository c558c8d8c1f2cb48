// The registry's messages, turned into checked values and back.

#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/status/statusor.h"
#include "radix/registry/v1/registry.pb.h"
#include "services/registry/instance.h"
#include "services/registry/instance_table.h"

namespace radix::registry {

v1::Status ToProto(Status status);
v1::Instance ToProto(const Instance& instance);
v1::Delta ToProto(const Delta& delta);

// Nanoseconds since 1970.
google::protobuf::Timestamp ToTimestamp(std::int64_t ns);

// InvalidArgument, beginning with `field`, when it is unset or out of range.
absl::StatusOr<std::int64_t> TimeFrom(const std::string& field, bool has,
                                      const google::protobuf::Timestamp& time);

// InvalidArgument, beginning with `field`, when it is none of the named ones.
absl::StatusOr<Status> StatusFrom(const std::string& field, v1::Status status);

// Labels: at most 16, each as IsLabel says.
absl::Status CheckLabels(const std::string& field,
                         const google::protobuf::RepeatedPtrField<std::string>& labels);

// All of these: InvalidArgument, naming the field below `field`, for what the proto forbids.
absl::StatusOr<Instance> InstanceFrom(const std::string& field, const v1::Instance& message);
absl::StatusOr<Delta> DeltaFrom(const std::string& field, const v1::Delta& message);

// What a request lets its selector be. An empty horde always stands for `default`, but where
// `all_hordes_by_default`; both api and inst set is always refused.
struct SelectorRules {
  bool may_be_open = false;            // neither api nor inst; and horde `*` for every horde
  bool all_hordes_by_default = false;  // an empty horde means `*`
};
absl::StatusOr<Selector> SelectorFrom(const std::string& field, const v1::Selector& message,
                                      SelectorRules rules = {});

}  // namespace radix::registry
