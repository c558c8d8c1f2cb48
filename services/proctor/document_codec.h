// What the group decided, as it is stored: how it is edited, and how much room it has.

#pragma once

#include "absl/status/status.h"
#include "radix/proctor/v1/proctor.pb.h"

namespace radix::proctor {

// Replaces what has that name, in name order; a manifest without services removes it.
void Replace(v1::DocumentBody& body, const v1::Manifest& manifest);

// Replaces what has that kind and key, in their order; an empty value removes it.
void Replace(v1::DocumentBody& body, const v1::Decision& decision);

// Replaces what has that name. Errors as CheckHordes (document_hordes_codec.h): `body` is then as
// it was.
absl::Status Edit(v1::DocumentBody& body, const v1::Manifest& manifest);

// Replaces what the request proposes. Aborted, and `body` is as it was, when that is not what the
// request expects; otherwise as CheckHordes.
absl::Status Edit(v1::DocumentBody& body, const v1::ProposeRequest& request);

// InvalidArgument, naming the field, when kind, key or value are too long, or one of the first two
// is empty; or it is one that operators make, and malformed: of what is revoked
// (radix/trust/v1/trust.proto), the rules (services/trust/rules.h), or a horde.
absl::Status CheckDecision(const v1::Decision& decision);

// The same, and also unless it is one that operators make.
absl::Status CheckOperatorsDecision(const v1::Decision& decision);

// ResourceExhausted when `after`, which is to follow `before`, has no room, and is the larger one.
absl::Status CheckRoom(const v1::DocumentBody& before, const v1::DocumentBody& after);

}  // namespace radix::proctor
