// radix horde: the command itself, and what its verbs share.

#include "clients/cli/horde.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/await.h"
#include "clients/cli/decisions.h"
#include "services/confab/charter.h"
#include "services/registry/hordes_codec.h"

namespace radix::cli {
namespace {

using registry::Horde;
using registry::Hordes;

// What the group has of that horde, as it keeps it; nullopt for nothing.
absl::StatusOr<std::optional<std::string>> Kept(const LabNode& node, const std::string& horde,
                                                Duration limit) {
  const auto decisions = DecisionsOfLeader(node, Hordes::kKind, limit);
  if (!decisions.ok()) return decisions.status();
  const auto found = std::ranges::find_if(
      *decisions, [&](const proctor::v1::Decision& each) { return each.key() == horde; });
  if (found == decisions->end()) return std::nullopt;
  return found->value();
}

absl::StatusOr<std::optional<Horde>> Read(const std::string& name,
                                          const std::optional<std::string>& kept) {
  if (kept) {
    auto horde = registry::HordeFromBytes(*kept);
    if (horde.ok()) return *std::move(horde);
    return absl::InvalidArgumentError(absl::StrCat("this radix cannot read the horde '", name,
                                                   "': ", std::string(horde.status().message()),
                                                   "; one of the group's own version can"));
  }
  const Hordes from_the_start;
  const Horde* horde = from_the_start.Find(name);
  return horde == nullptr ? std::optional<Horde>() : *horde;
}

}  // namespace

absl::StatusOr<Hordes> HordesAt(const LabNode& node) {
  const auto decisions = DecisionsAt(node, Hordes::kKind);
  if (!decisions.ok()) return decisions.status();
  Hordes hordes;
  for (const proctor::v1::Decision& each : *decisions) {
    if (absl::Status added = registry::AddHorde(each.key(), each.value(), hordes); !added.ok()) {
      return added;
    }
  }
  return hordes;
}

absl::Status CheckChangeable(const std::string& horde) {
  if (!IsName(horde)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", horde, "' is no horde's name: 1 to 63 of a-z, 0-9 and '-'"));
  }
  if (horde != Hordes::kRadix) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "'radix' is the horde of the basic services: every node is in it, and nobody can change "
      "that");
}

absl::Status NoSuchHorde(const std::string& horde) {
  return absl::NotFoundError(absl::StrCat("no horde is called '", horde, "': `radix horde create ",
                                          horde, "` makes it, `radix horde ls` shows all"));
}

absl::StatusOr<std::optional<std::int64_t>> ChangeHorde(const LabNode& node,
                                                        const std::string& horde,
                                                        const HordeEdit& edit, Duration limit) {
  Await await(limit);
  for (;;) {
    const auto kept = Kept(node, horde, await.remaining());
    if (!kept.ok()) return kept.status();
    auto before = Read(horde, *kept);
    if (!before.ok()) return before.status();
    std::optional<Horde> after = *before;
    if (absl::Status edited = edit(after); !edited.ok()) return edited;
    if (after == *before) return std::nullopt;
    if (after && after->named.size() > Horde::kNodesMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", Horde::kNodesMax, " nodes of the horde '", horde,
                       "' would stand otherwise than the others: admit --all, and expel some, or "
                       "the other way round"));
    }
    proctor::v1::Decision decision;
    decision.set_kind(Hordes::kKind);
    decision.set_key(horde);
    if (after) decision.set_value(registry::ToBytes(*after));
    const auto revision = Decide(node, decision, *kept, await.remaining());
    if (revision.ok()) return *revision;
    if (!absl::IsAborted(revision.status()) || !await.Again()) return revision.status();
  }
}

void AddHorde(CLI::App& app, Invocation& invocation) {
  CLI::App& horde =
      *app.add_subcommand("horde", "Parts of the flock, and which nodes serve in which");
  horde.require_subcommand(1);
  horde.fallthrough();
  AddHordeLs(horde, invocation);
  AddHordeCreate(horde, invocation);
  AddHordeRemove(horde, invocation);
  AddHordeAdmit(horde, invocation);
  AddHordeExpel(horde, invocation);
}

}  // namespace radix::cli
