// Manifest files: YAML for people, read strictly.

#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "radix/proctor/v1/proctor.pb.h"

namespace radix::cli {

// Reads a manifest. Each service's `file` is as written, its `line` and the manifest's `khan_line`
// are lines of `source`, so that whoever checks the values can name them.
//
// InvalidArgument, as `SOURCE:LINE: field: what is wrong and what to do`, for what is no YAML, a
// field that is unknown, missing or there twice, or a value of another kind than the field's.
absl::StatusOr<proctor::v1::Manifest> ParseManifest(const std::string& text,
                                                    const std::string& source);

// The same for the file at `path`, which is also the source and has at most 1 MiB. NotFound when it
// cannot be read.
absl::StatusOr<proctor::v1::Manifest> LoadManifest(const std::filesystem::path& path);

// Replaces each service's `file` by a checksum: `sha256:HEX` stays, an absolute path or the name of
// a file in `programs` is given to `put`, which returns the checksum. One file is put once.
//
// InvalidArgument, as above, for what is none of the three or no program that a kernel runs; errors
// of `put`. The content behind a `sha256:HEX` is looked at only by the node that is to run it.
absl::Status ResolveFiles(
    const std::filesystem::path& programs,
    const std::function<absl::StatusOr<std::string>(const std::filesystem::path&)>& put,
    proctor::v1::Manifest& manifest);

}  // namespace radix::cli
