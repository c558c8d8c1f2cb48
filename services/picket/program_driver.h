// Finds the bytes that a plugin runs, and holds on to exactly those.

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cpp/pastiche_client.h"
#include "services/confab/descriptor.h"

namespace radix::picket {

// Opens the program that `file` names (see PluginSpec.file; not `builtin:`), to be run by
// descriptor: what stands at a path may change between the look and the run.
//
// A path is opened once. Of `sha256:HEX`, made local by `pastiche`, the bytes are copied into
// sealed memory while they are hashed, so that what was verified is what runs, whatever becomes of
// the file on disk.
//
// May take as long as `pastiche` does: not for gRPC's own threads. Thread-safe.
//
// Errors, naming the file:
// * NotFound: there is none, or no peer has it.
// * FailedPrecondition: it is no executable, or `uid`, as which it is to run unless that is 0, may
//   not read or run what is at that path.
// * DataLoss: its bytes do not have that checksum.
absl::StatusOr<confab::Descriptor> OpenProgram(const std::string& file,
                                               const PasticheClient& pastiche,
                                               std::uint32_t uid = 0);

}  // namespace radix::picket
