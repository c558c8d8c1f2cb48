// What people ask for: manifests, as checked values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace radix::proctor {

// One service that a manifest declares.
struct ServiceSpec {
  std::string name;  // what khan calls it: 1 to 32 of [a-z][a-z0-9_]*
  std::string api;   // 1 to 63 of [A-Za-z0-9._-]
  std::string inst;  // likewise
  std::string file;  // `sha256:HEX`; in built-in manifests `builtin:SERVICE`
  std::vector<std::string> args;
  std::vector<std::string> env;  // NAME=value
  std::string horde;             // [a-z0-9-]{1,63}; all of a manifest are of one
  int line = 0;                  // where it begins in the manifest's source; 0 if unknown

  bool operator==(const ServiceSpec&) const = default;
};

// One manifest. Its name is also the owner of the plugins that it leads to.
struct Manifest {
  std::string name;  // 1 to 63 of [a-z0-9-]
  std::vector<ServiceSpec> services;
  std::string khan;    // how many of what, where
  std::string source;  // the file it came from, for messages; may be empty
  int khan_line = 0;   // that file's line at which `khan` begins; 0 if unknown
};

// Of which horde it is. Requires: it has a service.
inline const std::string& HordeOf(const Manifest& manifest) {
  return manifest.services.front().horde;
}

// Who wrote a manifest.
enum class Author : std::uint8_t {
  kUser,     // may not use a reserved name or horde, nor name a built-in service as a file
  kBuiltIn,  // the manifest `radix`
};

// The built-in manifest's name.
inline constexpr std::string_view kBuiltInName = "radix";

inline constexpr std::size_t kServicesMax = 256;
inline constexpr std::size_t kKhanMax = 64 * 1024;
// Of one service, args and env together: with all its other fields it then fits what picket takes.
inline constexpr std::size_t kArgumentsMax = 256;
inline constexpr std::size_t kArgumentBytesMax = 6 * 1024;

// Whether plugins of `owner` are for manifests to start and stop. Those of `dean`, `fulcrum` and
// the like are not.
bool IsManifestOwner(std::string_view owner);

// Checks everything but khan's text, which is khan's to check.
//
// InvalidArgument, naming the field, behind `SOURCE:LINE: ` as far as those are known.
absl::Status Check(const Manifest& manifest, Author author);

// Whether `text` is `sha256:` and 64 lower-case hex digits.
bool IsChecksum(std::string_view text);

}  // namespace radix::proctor
