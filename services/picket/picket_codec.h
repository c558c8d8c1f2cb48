// Plugins between the wire and the core, checked.

#pragma once

#include "absl/status/statusor.h"
#include "radix/picket/v1/picket.pb.h"
#include "services/confab/time.h"
#include "services/picket/plugin.h"

namespace radix::picket {

// The services of the fulcrum binary that may be run as plugins: `builtin:NAME`.
bool IsBuiltIn(const std::string& name);

// InvalidArgument, beginning with the field's name, for what picket.proto forbids.
absl::StatusOr<PluginSpec> DecodeSpec(const v1::PluginSpec& spec);

// An epoch on the wire; InvalidArgument when it is negative.
absl::StatusOr<std::uint64_t> DecodeEpoch(std::int64_t epoch);

// A grace on the wire: 0 for the default of 15 s. InvalidArgument unless in [0, 600].
absl::StatusOr<Duration> DecodeGrace(std::int32_t seconds);

v1::PluginSpec EncodeSpec(const PluginSpec& spec);

// `plugin` as it is at `now`, which is `wall` on the wall clock.
v1::Plugin EncodePlugin(const Plugin& plugin, Instant now,
                        std::chrono::system_clock::time_point wall);

}  // namespace radix::picket
