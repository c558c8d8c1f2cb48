// What is known of keys: of applications, of operators, and of those that were revoked.

#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"

namespace radix::cli {

// One key, and what it is for.
struct KnownKey {
  std::string key;     // 64 hex digits
  std::string role;    // serves, calls, is let in, was issued, was revoked
  std::string who;     // horde/service
  std::string what;    // horde/inst, or what is meant
  std::string net_id;  // empty: wherever that is
  std::string state;   // for people
};

// Those of applications that `node` knows; and of the whole group those that operators were issued,
// and those that were revoked.
absl::StatusOr<std::vector<KnownKey>> KeysKnownAt(const LabNode& node);

// For people, as a sentence without an end.
std::string Sentence(const KnownKey& key);

}  // namespace radix::cli
