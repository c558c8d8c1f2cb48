// The two kinds of status, turned into each other, and into the end of a call. Their codes have the
// same numbers.

#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"

namespace radix::confab {

// A message that repeats what a caller sent may be of any length; of more than 2,000 bytes the rest
// is cut off, since otherwise the caller would get an error about metadata instead of this one.
grpc::Status ToGrpc(const absl::Status& status);

inline absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// Ends a unary call at once: `return Answer(context, absl::OkStatus());`.
inline grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                        const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace radix::confab
