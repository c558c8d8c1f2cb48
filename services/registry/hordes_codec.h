// Hordes, as the group keeps them.

#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/registry/hordes.h"

namespace radix::registry {

// The value of a decision of the kind Hordes::kKind: `radix.registry.v1.Horde`.
std::string ToBytes(const Horde& horde);

// InvalidArgument, naming the field.
absl::StatusOr<Horde> HordeFromBytes(const std::string& bytes);

// Adds what the decision of that kind with that key says. InvalidArgument, naming the horde and the
// field, if it is malformed or nobody's to decide; `hordes` is then as it was.
absl::Status AddHorde(const std::string& key, const std::string& value, Hordes& hordes);

// The same for one that was decided: in one that cannot be read, which another version of this
// program may have taken, is nobody.
absl::Status AddDecidedHorde(const std::string& key, const std::string& value, Hordes& hordes);

}  // namespace radix::registry
