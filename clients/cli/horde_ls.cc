// radix horde ls: the hordes, their nodes, and what serves in them, as one node sees it.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/horde.h"
#include "clients/cli/named_node.h"
#include "clients/cli/output.h"
#include "clients/cli/view.h"

namespace radix::cli {
namespace {

using flock::v1::Member;
using registry::Horde;
using registry::Standing;

// Who stands so, by name: members, and those of whom operators said it that are not there now.
std::vector<std::string> NodesThat(const Horde& horde, Standing standing,
                                   const flock::v1::ListMembersResponse& members) {
  std::map<std::uint64_t, std::string> names;
  for (const auto& [fingerprint, named] : horde.named) {
    if (named.standing == standing) names[fingerprint] = named.node;
  }
  for (const Member& member : members.members()) {
    if (IsLive(member) && !member.revoked() &&
        horde.StandingOf(member.key_fingerprint()) == standing) {
      names[member.key_fingerprint()] = NameOf(member);
    }
  }
  std::vector<std::string> sorted;
  for (const auto& [fingerprint, name] : names) sorted.push_back(name);
  std::ranges::sort(sorted);
  return sorted;
}

Json ToJson(const std::string& name, const Horde& horde,
            const flock::v1::ListMembersResponse& members, const Json& services) {
  const auto serving = std::ranges::count_if(services, [&](const Json& each) {
    return each["horde"] == name && each["status"] == "serving";
  });
  return {{"horde", name},
          {"every_node", horde.every_node},
          {"nodes", NodesThat(horde, Standing::kAdmitted, members)},
          {"leaving", NodesThat(horde, Standing::kLeaving, members)},
          {"services", serving}};
}

void PrintText(const Json& hordes) {
  std::vector<std::vector<std::string>> rows = {
      {"horde", "others", "nodes", "leaving", "services"}};
  const auto names = [](const Json& list) {
    return list.empty() ? "-" : absl::StrJoin(list.get<std::vector<std::string>>(), " ");
  };
  for (const Json& each : hordes) {
    rows.push_back({each["horde"].get<std::string>(), each["every_node"] ? "admitted" : "outside",
                    names(each["nodes"]), names(each["leaving"]), each["services"].dump()});
  }
  PrintTable(rows);
}

int List(const Invocation& invocation, const std::string& only) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto hordes = HordesAt(*node);
  if (!hordes.ok()) return Fail(hordes.status());
  if (!only.empty() && hordes->Find(only) == nullptr) return Fail(NoSuchHorde(only));
  const auto members = MembersOf(*node);
  if (!members.ok()) return Fail(members.status());
  const auto services = Services(*node);
  if (!services.ok()) return Fail(services.status());
  Json json = Json::array();
  for (const auto& [name, horde] : hordes->all()) {
    if (only.empty() || name == only) json.push_back(ToJson(name, horde, *members, *services));
  }
  invocation.json() ? PrintJson(json) : PrintText(json);
  return kExitOk;
}

}  // namespace

void AddHordeLs(CLI::App& horde, Invocation& invocation) {
  CLI::App& verb =
      *horde.add_subcommand("ls", "Lists hordes, their nodes, and how much serves in them")
           ->fallthrough();
  const auto only = std::make_shared<std::string>();
  verb.add_option("horde", *only, "Only this one");
  verb.callback([&invocation, only] {
    invocation.run = [&invocation, only] { return List(invocation, *only); };
  });
}

}  // namespace radix::cli
