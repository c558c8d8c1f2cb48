// The charter: the small file that every node of a bloc boots with, as a checked value.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"

namespace radix {

// What a charter says, before it is checked; one field for each of the file.
struct CharterFields {
  std::string bloc;                  // Required.
  std::vector<std::string> ranges;   // Required.
  std::optional<std::int64_t> port;  // Required.
  std::optional<std::int64_t> at_most;
  std::optional<std::int64_t> quorum;
  std::string key_file;  // Required.
};

// A checked charter. The same on every node of a bloc: nodes whose Canonical() differ grant each
// other no leases.
struct Charter {
  std::string bloc;  // 1 to 63 characters of [a-z0-9-]; also the flockID
  AddressRanges ranges;
  std::uint16_t port = 0;     // flock's UDP and reeve's TCP; steward has the next one
  std::uint32_t at_most = 0;  // the most nodes that the bloc will ever have at once
  std::uint32_t quorum = 0;   // more than half of at_most
  std::string key_file;       // as written; relative to the charter's folder

  // Checks `fields` and fills in the defaults: `at_most` is the number of slots, `quorum` the least
  // that is more than half of `at_most`. InvalidArgument, beginning with the field's name.
  static absl::StatusOr<Charter> Create(const CharterFields& fields);

  // What the members of one bloc must agree on, as one line: everything but the key file.
  std::string Canonical() const;
};

// Whether `text` is 1 to 63 characters of [a-z0-9-]: what a bloc or a node may be called.
bool IsName(std::string_view text);

}  // namespace radix
