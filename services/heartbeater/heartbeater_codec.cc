#include "services/heartbeater/heartbeater_codec.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/address.h"
#include "services/registry/registry_codec.h"

namespace radix::heartbeater {
namespace {

constexpr Duration kValidityMax = 60s;

absl::Status Malformed(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

absl::StatusOr<std::string> NetIdFrom(const std::string& text, const confab::Node& node) {
  auto endpoint = Endpoint::Parse(text);
  if (!endpoint.ok()) return Malformed("net_id", std::string(endpoint.status().message()));
  if (endpoint->ip != node.address) {
    return Malformed("net_id", absl::StrCat(endpoint->ToString(), " is not at this node's address ",
                                            node.address.ToString()));
  }
  if (endpoint->port == 0) return Malformed("net_id", "port 0 cannot be called");
  return endpoint->ToString();
}

// Fills in the times of `beat`.
absl::Status ReadTimes(const v1::BeatRequest& message, Beat& beat) {
  auto issued = registry::TimeFrom("issue_time", message.has_issue_time(), message.issue_time());
  if (!issued.ok()) return issued.status();
  auto valid_until = registry::TimeFrom("valid_until_time", message.has_valid_until_time(),
                                        message.valid_until_time());
  if (!valid_until.ok()) return valid_until.status();
  beat.validity = Duration(*valid_until - *issued);
  if (beat.validity <= 0s) {
    return Malformed("valid_until_time", "must be later than issue_time");
  }
  if (beat.validity > kValidityMax) {
    return Malformed("valid_until_time", "must be at most 60 s later than issue_time");
  }
  beat.instance.valid_until_ns = *valid_until;
  beat.instance.start_ns = *issued;
  return absl::OkStatus();
}

// Fills in the names of `instance`.
absl::Status ReadNames(const v1::BeatRequest& message, registry::Instance& instance) {
  instance.horde = message.horde().empty() ? "default" : message.horde();
  if (auto ok = registry::CheckName("horde", instance.horde); !ok.ok()) return ok;
  if (auto ok = registry::CheckApiName("api", message.api()); !ok.ok()) return ok;
  if (auto ok = registry::CheckApiName("inst", message.inst()); !ok.ok()) return ok;
  if (auto ok = registry::CheckLabels("labels", message.labels()); !ok.ok()) return ok;
  instance.api = message.api();
  instance.inst = message.inst();
  instance.labels.assign(message.labels().begin(), message.labels().end());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Beat> BeatFrom(const v1::BeatRequest& message, const confab::Node& node,
                              const std::string& bloc) {
  Beat beat;
  auto net_id = NetIdFrom(message.net_id(), node);
  if (!net_id.ok()) return net_id.status();
  beat.instance.net_id = *std::move(net_id);
  beat.instance.node = node.name;
  if (!message.flock_id().empty() && message.flock_id() != bloc) {
    return Malformed("flock_id", absl::StrCat("is not this node's, '", bloc, "'"));
  }
  if (auto ok = ReadTimes(message, beat); !ok.ok()) return ok;
  auto status = registry::StatusFrom("status", message.status());
  if (!status.ok()) return status.status();
  beat.instance.status = *status;
  if (auto ok = ReadNames(message, beat.instance); !ok.ok()) return ok;
  if (message.pid() < 0) return Malformed("pid", "is negative");
  if (message.pid() > 0) {
    if (message.pid_start_ticks() <= 0) return Malformed("pid_start_ticks", "is required with pid");
    beat.process = Process{message.pid(), message.pid_start_ticks()};
    beat.instance.pid = message.pid();
  }
  return beat;
}

}  // namespace radix::heartbeater
