// Who calls and who is called, as rules speak of them.

#pragma once

#include <compare>
#include <string>

#include "absl/status/statusor.h"

namespace radix::trust {

// A service of a horde, written `horde/service`. As a caller, or as who serves, `service` is what
// its manifest calls it; for the basic services what the contract calls them, in the horde `radix`.
// As what is called or served it is an api.
struct Party {
  std::string horde;    // 1 to 63 of [a-z0-9-]
  std::string service;  // 1 to 63 of [A-Za-z0-9._-]

  auto operator<=>(const Party&) const = default;

  // InvalidArgument, saying what is wrong with `text`.
  static absl::StatusOr<Party> Parse(const std::string& text);
  std::string ToString() const { return horde + "/" + service; }
};

// What a rule says about parties: each part is a name, the beginning of one before a `*`, or `*`
// alone for all.
struct Pattern {
  std::string horde;
  std::string service;

  bool operator==(const Pattern&) const = default;

  // InvalidArgument, saying what is wrong with `text`.
  static absl::StatusOr<Pattern> Parse(const std::string& text);
  std::string ToString() const { return horde + "/" + service; }
  bool Matches(const Party& party) const;
  // Whether it names one party.
  bool IsExact() const;
};

}  // namespace radix::trust
