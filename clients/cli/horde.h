// What the commands about hordes have in common: the hordes of the group, as one node or the leader
// has them.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/verbs.h"
#include "services/confab/time.h"
#include "services/registry/hordes.h"

namespace radix::cli {

// What `node` has on disk, and goes by; also while nobody leads.
absl::StatusOr<registry::Hordes> HordesAt(const LabNode& node);

// A horde's name, unless nobody may change that horde. InvalidArgument.
absl::Status CheckChangeable(const std::string& horde);

// NotFound, saying what to do.
absl::Status NoSuchHorde(const std::string& horde);

// Edits a horde; nullopt stands for one that does not exist, or is to be removed.
using HordeEdit = std::function<absl::Status(std::optional<registry::Horde>&)>;

// Has the group decide what `edit` makes of that horde, on top of whatever others change meanwhile;
// goes on trying for `limit`. Returns the revision; nullopt when there was nothing to change.
absl::StatusOr<std::optional<std::int64_t>> ChangeHorde(const LabNode& node,
                                                        const std::string& horde,
                                                        const HordeEdit& edit, Duration limit);

void AddHordeLs(CLI::App& horde, Invocation& invocation);
void AddHordeCreate(CLI::App& horde, Invocation& invocation);
void AddHordeRemove(CLI::App& horde, Invocation& invocation);
void AddHordeAdmit(CLI::App& horde, Invocation& invocation);
void AddHordeExpel(CLI::App& horde, Invocation& invocation);

}  // namespace radix::cli
