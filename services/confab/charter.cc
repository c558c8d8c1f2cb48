#include "services/confab/charter.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix {
namespace {

absl::Status Refuse(const std::string& message) { return absl::InvalidArgumentError(message); }

}  // namespace

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

absl::StatusOr<Charter> Charter::Create(const CharterFields& fields) {
  Charter charter;
  if (fields.bloc.empty()) {
    return Refuse("bloc: must name the bloc, with 1 to 63 characters of a-z 0-9 -");
  }
  if (!IsName(fields.bloc)) {
    return Refuse(absl::StrCat("bloc: '", fields.bloc, "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  charter.bloc = fields.bloc;

  auto ranges = AddressRanges::Parse(fields.ranges);
  if (!ranges.ok()) return Refuse(absl::StrCat("ranges: ", ranges.status().message()));
  charter.ranges = *std::move(ranges);

  // Steward takes the port behind it, so the last one cannot be chosen.
  if (!fields.port) return Refuse("port: is missing; it must be 1 to 65534");
  if (*fields.port < 1 || *fields.port > 65534) {
    return Refuse(absl::StrCat("port: ", *fields.port, " is not in 1..65534"));
  }
  charter.port = static_cast<std::uint16_t>(*fields.port);

  const std::int64_t slots = charter.ranges.size();
  const std::int64_t at_most = fields.at_most.value_or(slots);
  if (at_most < 1) return Refuse(absl::StrCat("at_most: ", at_most, " is less than 1"));
  if (at_most > slots) {
    return Refuse(absl::StrCat("at_most: ", at_most, " nodes do not fit into the ", slots,
                               " addresses of ranges"));
  }
  charter.at_most = static_cast<std::uint32_t>(at_most);

  const std::int64_t least = at_most / 2 + 1;
  const std::int64_t quorum = fields.quorum.value_or(least);
  if (quorum < least) {
    return Refuse(absl::StrCat("quorum: ", quorum, " is not more than half of at_most (", at_most,
                               "): two leaders would be possible; it must be at least ", least));
  }
  if (quorum > at_most) {
    return Refuse(absl::StrCat("quorum: ", quorum, " is more than at_most (", at_most,
                               "): it could never be reached"));
  }
  charter.quorum = static_cast<std::uint32_t>(quorum);

  if (fields.key_file.empty()) return Refuse("key_file: must name the file with the secondary key");
  charter.key_file = fields.key_file;
  return charter;
}

std::string Charter::Canonical() const {
  return absl::StrCat("bloc=", bloc, " ranges=", ranges.ToString(), " port=", port,
                      " at_most=", at_most, " quorum=", quorum);
}

}  // namespace radix
