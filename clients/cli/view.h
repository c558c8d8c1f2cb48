// What a node shows of its group, as JSON and as tables. Several commands print the same.

#pragma once

#include "absl/status/statusor.h"
#include "clients/cli/lab.h"
#include "clients/cli/output.h"
#include "services/registry/hordes.h"

namespace radix::cli {

// The group's members, as `radix members -o json` prints them, from the node's own flock; with
// `horde` only those that are of it.
absl::StatusOr<Json> Members(const LabNode& node, const registry::Horde* horde = nullptr);

// The group's services, as `radix services -o json` prints them, from the node's own reeve.
absl::StatusOr<Json> Services(const LabNode& node);

// Prints an array of objects with equal fields as a table.
void PrintObjects(const Json& objects);

}  // namespace radix::cli
