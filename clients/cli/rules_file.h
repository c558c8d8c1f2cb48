// Files with rules.

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/trust/rules.h"

namespace radix::cli {

struct RulesFile {
  std::string source;  // what it is called, for messages
  std::string text;
  trust::Rules rules;  // those and what is built in
};

// Reads the file at `path`, or standard input for "-". NotFound when it cannot be read;
// InvalidArgument, as `SOURCE: line N: what is wrong`, when it holds no rules.
absl::StatusOr<RulesFile> LoadRules(const std::string& path);

}  // namespace radix::cli
