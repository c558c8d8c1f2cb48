// The rules with which a lab begins.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "services/confab/time.h"

namespace radix::cli {

// deploy/rules/default.rules, as it was when this program was built: it is there wherever that
// lies.
extern const char kStarterRules[];

// Has them decided if operators never decided any, by way of `node`, which asks for at most `limit`
// while nobody leads. Returns whether it did.
absl::StatusOr<bool> BeginRules(const LabNode& node, Duration limit);

}  // namespace radix::cli
