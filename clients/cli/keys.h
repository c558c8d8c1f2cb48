// What the commands about keys have in common.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "radix/flock/v1/flock.pb.h"

namespace radix::cli {

// One word: used, idle or installed.
std::string PhaseName(flock::v1::RotationPhase phase);

// As `keys status -o json` shows it.
Json ToJson(const flock::v1::GetKeysResponse& keys);

// How it stands, by the word of the sealed leader.
absl::StatusOr<flock::v1::GetKeysResponse> GetKeys(const LabNode& node);

void AddKeysLs(CLI::App& keys, Invocation& invocation);  // and explain
void AddKeysIssue(CLI::App& keys, Invocation& invocation);
void AddKeysRevoke(CLI::App& keys, Invocation& invocation);
void AddKeysRoll(CLI::App& keys, Invocation& invocation);
void AddKeysRotate(CLI::App& keys, Invocation& invocation);

}  // namespace radix::cli
