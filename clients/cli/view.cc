#include "clients/cli/view.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cctype>

#include "clients/cli/ask.h"
#include "clients/cli/named_node.h"
#include "radix/flock/v1/flock.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"

namespace radix::cli {
namespace {

using reeve::v1::ReeveService;

// MEMBER_STATE_ALIVE is shown as "alive".
std::string Lower(const std::string& name, const std::string& prefix) {
  std::string text = name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

absl::StatusOr<Json> Members(const LabNode& node, const registry::Horde* horde) {
  const auto reply = MembersOf(node);
  if (!reply.ok()) return reply.status();
  Json members = Json::array();
  for (const auto& member : reply->members()) {
    if (horde != nullptr &&
        horde->StandingOf(member.key_fingerprint()) == registry::Standing::kOutside) {
      continue;
    }
    members.push_back(
        {{"node", member.node()},
         {"address", member.address()},
         {"state", Lower(flock::v1::MemberState_Name(member.state()), "MEMBER_STATE_")},
         {"leader", member.leader()},
         {"revoked", member.revoked()},
         {"epoch", reply->epoch()}});
  }
  return members;
}

absl::StatusOr<Json> Services(const LabNode& node) {
  const auto reply =
      Ask<ReeveService>(node, "reeve", &ReeveService::Stub::async::ListInstances, {});
  if (!reply.ok()) return reply.status();
  Json services = Json::array();
  for (const auto& instance : reply->instances()) {
    services.push_back(
        {{"horde", instance.horde()},
         {"api", instance.api()},
         {"inst", instance.inst()},
         {"node", instance.node()},
         {"net_id", instance.net_id()},
         {"status", Lower(registry::v1::Status_Name(instance.status()), "STATUS_")},
         {"valid_until", google::protobuf::util::TimeUtil::ToString(instance.valid_until_time())}});
  }
  return services;
}

void PrintObjects(const Json& objects) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& object : objects) {
    if (rows.empty()) {
      std::vector<std::string>& heading = rows.emplace_back();
      for (const auto& [key, value] : object.items()) heading.push_back(key);
    }
    std::vector<std::string>& row = rows.emplace_back();
    for (const auto& [key, value] : object.items()) {
      row.push_back(value.is_string()    ? value.get<std::string>()
                    : value.is_boolean() ? (value.get<bool>() ? "yes" : "-")
                    : value.is_null()    ? "-"
                                         : value.dump());
    }
  }
  PrintTable(rows);
}

}  // namespace radix::cli
