#include "services/registry/registry_codec.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/address.h"
#include "services/confab/node.h"

namespace radix::registry {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kLabelsMax = 16;
constexpr std::int64_t kSecondsMax = 9'000'000'000;  // fits in nanoseconds; about the year 2255

absl::Status Malformed(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

}  // namespace

v1::Status ToProto(Status status) {
  switch (status) {
    case Status::kServing:
      return v1::STATUS_SERVING;
    case Status::kDraining:
      return v1::STATUS_DRAINING;
    case Status::kDead:
      return v1::STATUS_DEAD;
  }
  return v1::STATUS_UNSPECIFIED;
}

google::protobuf::Timestamp ToTimestamp(std::int64_t ns) {
  return TimeUtil::NanosecondsToTimestamp(ns);
}

v1::Instance ToProto(const Instance& instance) {
  v1::Instance message;
  message.set_horde(instance.horde);
  message.set_api(instance.api);
  message.set_inst(instance.inst);
  message.set_node(instance.node);
  message.set_net_id(instance.net_id);
  message.set_status(ToProto(instance.status));
  *message.mutable_valid_until_time() = ToTimestamp(instance.valid_until_ns);
  *message.mutable_start_time() = ToTimestamp(instance.start_ns);
  for (const std::string& label : instance.labels) message.add_labels(label);
  message.set_pid(instance.pid);
  return message;
}

v1::Delta ToProto(const Delta& delta) {
  v1::Delta message;
  message.set_revision(static_cast<std::int64_t>(delta.revision));
  message.set_origin(delta.origin);
  message.set_snapshot(delta.snapshot);
  for (const Instance& change : delta.changes) {
    *message.add_changes()->mutable_instance() = ToProto(change);
  }
  message.set_digest(delta.digest);
  return message;
}

absl::StatusOr<std::int64_t> TimeFrom(const std::string& field, bool has,
                                      const google::protobuf::Timestamp& time) {
  if (!has) return Malformed(field, "is required");
  if (time.seconds() < 0 || time.seconds() > kSecondsMax || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return Malformed(field, "is no time between 1970 and 2255");
  }
  return TimeUtil::TimestampToNanoseconds(time);
}

absl::StatusOr<Status> StatusFrom(const std::string& field, v1::Status status) {
  switch (status) {
    case v1::STATUS_SERVING:
      return Status::kServing;
    case v1::STATUS_DRAINING:
      return Status::kDraining;
    case v1::STATUS_DEAD:
      return Status::kDead;
    default:
      return Malformed(
          field, absl::StrCat("must be serving, draining or dead, not ", static_cast<int>(status)));
  }
}

absl::Status CheckLabels(const std::string& field,
                         const google::protobuf::RepeatedPtrField<std::string>& labels) {
  if (labels.size() > kLabelsMax) {
    return Malformed(field, absl::StrCat("has ", labels.size(), " labels; 16 are allowed"));
  }
  for (int i = 0; i < labels.size(); ++i) {
    if (!confab::IsLabel(labels[i])) {
      return Malformed(absl::StrCat(field, "[", i, "]"),
                       "must be `tag` or `key=value`, 1 to 128 printable characters");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceFrom(const std::string& field, const v1::Instance& message) {
  Instance instance;
  if (auto ok = CheckName(field + ".horde", message.horde()); !ok.ok()) return ok;
  if (auto ok = CheckApiName(field + ".api", message.api()); !ok.ok()) return ok;
  if (auto ok = CheckApiName(field + ".inst", message.inst()); !ok.ok()) return ok;
  if (auto ok = CheckName(field + ".node", message.node()); !ok.ok()) return ok;
  auto endpoint = Endpoint::Parse(message.net_id());
  if (!endpoint.ok()) {
    return Malformed(field + ".net_id", std::string(endpoint.status().message()));
  }
  auto status = StatusFrom(field + ".status", message.status());
  if (!status.ok()) return status.status();
  auto valid_until = TimeFrom(field + ".valid_until_time", true, message.valid_until_time());
  if (!valid_until.ok()) return valid_until.status();
  auto start = TimeFrom(field + ".start_time", true, message.start_time());
  if (!start.ok()) return start.status();
  if (auto ok = CheckLabels(field + ".labels", message.labels()); !ok.ok()) return ok;
  if (message.pid() < 0) return Malformed(field + ".pid", "is negative");
  instance.horde = message.horde();
  instance.api = message.api();
  instance.inst = message.inst();
  instance.node = message.node();
  instance.net_id = endpoint->ToString();
  instance.status = *status;
  instance.valid_until_ns = *valid_until;
  instance.start_ns = *start;
  instance.labels.assign(message.labels().begin(), message.labels().end());
  instance.pid = message.pid();
  return instance;
}

absl::StatusOr<Delta> DeltaFrom(const std::string& field, const v1::Delta& message) {
  if (message.revision() < 0) return Malformed(field + ".revision", "is negative");
  if (auto ok = CheckApiName(field + ".origin", message.origin()); !ok.ok()) return ok;
  Delta delta{.revision = static_cast<std::uint64_t>(message.revision()),
              .origin = message.origin(),
              .snapshot = message.snapshot(),
              .digest = message.digest()};
  for (int i = 0; i < message.changes_size(); ++i) {
    auto instance = InstanceFrom(absl::StrCat(field, ".changes[", i, "].instance"),
                                 message.changes(i).instance());
    if (!instance.ok()) return instance.status();
    delta.changes.push_back(*std::move(instance));
  }
  return delta;
}

absl::StatusOr<Selector> SelectorFrom(const std::string& field, const v1::Selector& message,
                                      SelectorRules rules) {
  if (!message.api().empty() && !message.inst().empty()) {
    return Malformed(field, "has both api and inst; set one of them");
  }
  if (message.api().empty() && message.inst().empty() && !rules.may_be_open) {
    return Malformed(field, "has neither api nor inst; set one of them");
  }
  Selector selector{.horde = message.horde(), .api = message.api(), .inst = message.inst()};
  if (selector.horde.empty() && !rules.all_hordes_by_default) selector.horde = "default";
  if (rules.may_be_open && selector.horde == "*") selector.horde.clear();
  if (!selector.horde.empty()) {
    if (auto ok = CheckName(field + ".horde", selector.horde); !ok.ok()) return ok;
  }
  if (!selector.api.empty()) {
    if (auto ok = CheckApiName(field + ".api", selector.api); !ok.ok()) return ok;
  }
  if (!selector.inst.empty()) {
    if (auto ok = CheckApiName(field + ".inst", selector.inst); !ok.ok()) return ok;
  }
  return selector;
}

}  // namespace radix::registry
