// What operators have decided, as one node or the leader has it, and how they decide anew.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "radix/proctor/v1/proctor.pb.h"
#include "services/confab/time.h"

namespace radix::cli {

using Decisions = std::vector<proctor::v1::Decision>;

// Those of the kind that `node` has on disk, and goes by; also while nobody leads.
absl::StatusOr<Decisions> DecisionsAt(const LabNode& node, const std::string& kind);

// Those that were decided last, by the word of the leader, whom `node` asks; again and again for
// `limit` while there is none.
absl::StatusOr<Decisions> DecisionsOfLeader(const LabNode& node, const std::string& kind,
                                            Duration limit);

// Has `decision` take the place of whatever is decided of that kind and key; asks as
// DecisionsOfLeader does. Returns the revision of the group's decisions.
//
// Errors: as DeanService.Propose has them. Nothing was changed then, unless it is Unavailable.
absl::StatusOr<std::int64_t> Decide(const LabNode& node, const proctor::v1::Decision& decision,
                                    Duration limit);

// The same, only in the place of one whose value is `before`, or of none; Aborted, when something
// else was decided meanwhile.
absl::StatusOr<std::int64_t> Decide(const LabNode& node, const proctor::v1::Decision& decision,
                                    const std::optional<std::string>& before, Duration limit);

}  // namespace radix::cli
