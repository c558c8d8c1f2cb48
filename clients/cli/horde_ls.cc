// radix horde ls: the hordes, their nodes, and what serves in them, as one node sees it.

#include <algorithm>
#include <cstdint>
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

bool IsThere(const Member& member) { return IsLive(member) && !member.revoked(); }

// Members that stand so, by name.
std::vector<std::string> NodesThat(const Horde& horde, Standing standing,
                                   const flock::v1::ListMembersResponse& members) {
  std::vector<std::string> names;
  for (const Member& member : members.members()) {
    if (IsThere(member) && horde.StandingOf(member.key_fingerprint()) == standing) {
      names.push_back(NameOf(member));
    }
  }
  std::ranges::sort(names);
  return names;
}

// Those of whom operators said that they may serve in it, and that are not there now: with the
// fingerprints of their keys, by which they can be expelled.
Json Absent(const Horde& horde, const flock::v1::ListMembersResponse& members) {
  Json absent = Json::array();
  for (const auto& [fingerprint, named] : horde.named) {
    const bool is_there =
        std::ranges::any_of(members.members(), [key = fingerprint](const Member& member) {
          return IsThere(member) && member.key_fingerprint() == key;
        });
    if (is_there || named.standing == Standing::kOutside) continue;
    absent.push_back({{"node", named.node},
                      {"fingerprint", absl::StrCat(absl::Hex(fingerprint, absl::kZeroPad16))}});
  }
  return absent;
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
          {"absent", Absent(horde, members)},
          {"services", serving}};
}

void PrintText(const Json& hordes) {
  std::vector<std::vector<std::string>> rows = {
      {"horde", "others", "nodes", "leaving", "absent", "services"}};
  const auto names = [](const Json& list) {
    return list.empty() ? "-" : absl::StrJoin(list.get<std::vector<std::string>>(), " ");
  };
  const auto with_keys = [](const Json& list) {
    return list.empty() ? "-" : absl::StrJoin(list, " ", [](std::string* text, const Json& each) {
      absl::StrAppend(text, each["node"].get<std::string>(), "=",
                      each["fingerprint"].get<std::string>());
    });
  };
  for (const Json& each : hordes) {
    rows.push_back({each["horde"].get<std::string>(), each["every_node"] ? "admitted" : "outside",
                    names(each["nodes"]), names(each["leaving"]), with_keys(each["absent"]),
                    each["services"].dump()});
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
