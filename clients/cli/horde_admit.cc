// radix horde admit and expel: which nodes serve in a horde.

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/await.h"
#include "clients/cli/horde.h"
#include "clients/cli/named_node.h"
#include "clients/cli/output.h"
#include "clients/cli/timeout.h"
#include "clients/cli/view.h"

namespace radix::cli {
namespace {

using registry::Horde;
using registry::Standing;

struct Options {
  std::string horde;
  std::vector<std::string> nodes;
  bool all = false;
  bool now = false;
  double timeout_s = 60;
};

absl::Status CheckArguments(const Options& options) {
  if (absl::Status name = CheckChangeable(options.horde); !name.ok()) return name;
  if (options.nodes.empty() != options.all) {
    return absl::InvalidArgumentError("give nodes, or --all; not both");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<KeyedNode>> Named(const LabNode& asked, const Options& options,
                                             bool may_be_revoked = true) {
  const auto members = MembersOf(asked);
  if (!members.ok()) return members.status();
  std::vector<KeyedNode> nodes;
  for (const std::string& text : options.nodes) {
    auto node = FindNode(text, *members);
    if (!node.ok()) return node.status();
    const bool revoked =
        std::ranges::any_of(members->members(), [&](const flock::v1::Member& member) {
          return member.revoked() && member.key_fingerprint() == node->fingerprint;
        });
    if (revoked && !may_be_revoked) {
      return absl::FailedPreconditionError(
          absl::StrCat(node->name, " was revoked: it serves nowhere, until it has a new key"));
    }
    nodes.push_back(*std::move(node));
  }
  if (!options.all) return nodes;
  for (const flock::v1::Member& member : members->members()) {
    if (IsLive(member)) nodes.push_back({NameOf(member), member.key_fingerprint()});
  }
  return nodes;
}

HordeEdit Let(const Options& options, const std::vector<KeyedNode>& nodes, Standing standing) {
  return [options, nodes, standing](std::optional<Horde>& horde) -> absl::Status {
    if (!horde) return NoSuchHorde(options.horde);
    const Horde before = *horde;
    // Whoever comes later, too; of those that are to leave he has nothing to move.
    if (options.all) {
      horde->SetAll(standing == Standing::kAdmitted ? Standing::kAdmitted : Standing::kOutside);
    }
    for (const KeyedNode& node : nodes) {
      // Who is outside is no more in it for being expelled.
      const bool stays_out = standing == Standing::kLeaving &&
                             before.StandingOf(node.fingerprint) == Standing::kOutside;
      horde->Set(node.fingerprint, node.name, stays_out ? Standing::kOutside : standing);
    }
    return absl::OkStatus();
  };
}

// The end of an expulsion. Whom somebody has admitted since it began, stays.
HordeEdit LetOut(const Options& options, const std::vector<KeyedNode>& nodes) {
  return [options, nodes](std::optional<Horde>& horde) -> absl::Status {
    if (!horde) return NoSuchHorde(options.horde);
    for (const KeyedNode& node : nodes) {
      if (horde->StandingOf(node.fingerprint) == Standing::kAdmitted) {
        return absl::AbortedError(
            absl::StrCat(node.name, " was admitted to '", options.horde,
                         "' while it was on its way out: it "
                         "stays, and so do the others that were to leave with it"));
      }
      horde->Set(node.fingerprint, node.name, Standing::kOutside);
    }
    return absl::OkStatus();
  };
}

std::string NamesOf(const Options& options, const std::vector<KeyedNode>& nodes) {
  if (options.all) return "every node";
  return absl::StrJoin(nodes, " ",
                       [](std::string* text, const KeyedNode& node) { text->append(node.name); });
}

int ReportStanding(const Invocation& invocation, const Options& options,
                   const std::vector<KeyedNode>& nodes,
                   const absl::StatusOr<std::optional<std::int64_t>>& revision,
                   const std::string& is) {
  if (!revision.ok()) return Fail(revision.status());
  Json json = {{"horde", options.horde},
               {"nodes", Json::array()},
               {"all", options.all},
               {"changed", revision->has_value()}};
  for (const KeyedNode& node : nodes) json["nodes"].push_back(node.name);
  if (*revision) json["revision"] = **revision;
  const std::string said = absl::StrCat(NamesOf(options, nodes), " ", is, " '", options.horde, "'");
  return Report(invocation.json(), json,
                *revision ? absl::StrCat(said, ", as revision ", **revision)
                          : absl::StrCat(said, " already"));
}

int Admit(const Invocation& invocation, const Options& options) {
  if (absl::Status right = CheckArguments(options); !right.ok()) return FailUsage(right);
  const auto asked = invocation.OpenNode();
  if (!asked.ok()) return Fail(asked.status());
  const auto nodes = Named(*asked, options, /*may_be_revoked=*/options.all);
  if (!nodes.ok()) return Fail(nodes.status());
  const auto revision =
      ChangeHorde(*asked, options.horde, Let(options, *nodes, Standing::kAdmitted),
                  FromSeconds(options.timeout_s));
  return ReportStanding(invocation, options, *nodes, revision, "may serve in the horde");
}

// What of the horde still serves on these nodes.
absl::StatusOr<std::vector<std::string>> Remaining(const LabNode& asked, const Options& options,
                                                   const std::vector<KeyedNode>& nodes) {
  const auto services = Services(asked);
  if (!services.ok()) return services.status();
  std::vector<std::string> remaining;
  for (const Json& each : *services) {
    const bool is_there = std::ranges::any_of(
        nodes, [&](const KeyedNode& node) { return each["node"] == node.name; });
    if (each["horde"] == options.horde && is_there && each["status"] != "dead") {
      remaining.push_back(
          absl::StrCat(each["inst"].get<std::string>(), " on ", each["node"].get<std::string>()));
    }
  }
  return remaining;
}

// First nothing more is placed there, and what runs there begins elsewhere and ends; then the nodes
// are out. So no call is lost where other nodes of the horde have room.
int Expel(const Invocation& invocation, const Options& options) {
  if (absl::Status right = CheckArguments(options); !right.ok()) return FailUsage(right);
  const auto asked = invocation.OpenNode();
  if (!asked.ok()) return Fail(asked.status());
  const auto nodes = Named(*asked, options);
  if (!nodes.ok()) return Fail(nodes.status());
  Await await(FromSeconds(options.timeout_s));
  std::vector<std::string> cut_off;
  if (!options.now) {
    const auto leaving =
        ChangeHorde(*asked, options.horde, Let(options, *nodes, Standing::kLeaving), 30s);
    if (!leaving.ok()) return Fail(leaving.status());
    do {
      auto remaining = Remaining(*asked, options, *nodes);
      if (!remaining.ok()) continue;  // its reeve may be on its way
      cut_off = *std::move(remaining);
      if (cut_off.empty()) break;
    } while (await.Again());
  }
  const auto revision = ChangeHorde(
      *asked, options.horde,
      options.now ? Let(options, *nodes, Standing::kOutside) : LetOut(options, *nodes), 30s);
  if (revision.ok() && !cut_off.empty()) {
    std::cerr << "radix: was still there, and was cut off: " << absl::StrJoin(cut_off, ", ")
              << '\n';
  }
  return ReportStanding(invocation, options, *nodes, revision, "is out of the horde");
}

void AddTo(CLI::App& verb, const std::shared_ptr<Options>& options) {
  verb.add_option("horde", options->horde, "Its name")->required();
  verb.add_option("nodes", options->nodes,
                  "Names or addresses of nodes; or fingerprints of keys, of nodes that are gone");
  verb.add_flag("--all", options->all, "Every node there is and will be");
}

}  // namespace

void AddHordeAdmit(CLI::App& horde, Invocation& invocation) {
  CLI::App& verb = *horde.add_subcommand("admit", "Lets nodes serve in a horde")->fallthrough();
  const auto options = std::make_shared<Options>();
  AddTo(verb, options);
  AddTimeout(verb, options->timeout_s, "Seconds to go on trying while nobody leads. Default: 60.");
  verb.callback([&invocation, options] {
    invocation.run = [&invocation, options] { return Admit(invocation, *options); };
  });
}

void AddHordeExpel(CLI::App& horde, Invocation& invocation) {
  CLI::App& verb =
      *horde
           .add_subcommand("expel",
                           "Ends that nodes serve in a horde: what they run of it is moved first")
           ->fallthrough();
  const auto options = std::make_shared<Options>();
  AddTo(verb, options);
  verb.add_flag("--now", options->now, "Do not wait until what runs there runs elsewhere");
  AddTimeout(verb, options->timeout_s,
             "Seconds to wait until nothing of the horde serves there; then what does is cut off. "
             "Default: 60.");
  verb.callback([&invocation, options] {
    invocation.run = [&invocation, options] { return Expel(invocation, *options); };
  });
}

}  // namespace radix::cli
