#include "services/trust/party.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

constexpr std::size_t kNameMax = 63;
constexpr std::size_t kQuotedMax = 64;

bool IsHordeLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

bool IsServiceLetter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

// A name, or with `wild` also the beginning of one before a `*`.
bool IsName(std::string_view text, bool (*is_letter)(char), bool wild) {
  if (wild && text.ends_with('*')) {
    text.remove_suffix(1);
    if (text.empty()) return true;
  }
  return !text.empty() && text.size() <= kNameMax && std::ranges::all_of(text, is_letter);
}

std::string Quoted(const std::string& text) {
  return "'" + absl::CHexEscape(text.substr(0, kQuotedMax)) +
         (text.size() > kQuotedMax ? "...'" : "'");
}

absl::StatusOr<std::pair<std::string, std::string>> Split(const std::string& text, bool wild) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text), " is not horde/service, for example default/galumph"));
  }
  std::string horde = text.substr(0, slash);
  std::string service = text.substr(slash + 1);
  const std::string star = wild ? ", or the beginning of that and '*'" : "";
  if (!IsName(horde, IsHordeLetter, wild)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text), ": the horde is not 1 to 63 of a-z, 0-9 and '-'", star));
  }
  if (!IsName(service, IsServiceLetter, wild)) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quoted(text), ": the service is not 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-'", star));
  }
  return std::pair(std::move(horde), std::move(service));
}

bool PartMatches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

}  // namespace

absl::StatusOr<Party> Party::Parse(const std::string& text) {
  auto parts = Split(text, /*wild=*/false);
  if (!parts.ok()) return parts.status();
  return Party{std::move(parts->first), std::move(parts->second)};
}

absl::StatusOr<Pattern> Pattern::Parse(const std::string& text) {
  auto parts = Split(text, /*wild=*/true);
  if (!parts.ok()) return parts.status();
  return Pattern{std::move(parts->first), std::move(parts->second)};
}

bool Pattern::Matches(const Party& party) const {
  return PartMatches(horde, party.horde) && PartMatches(service, party.service);
}

bool Pattern::IsExact() const { return !horde.ends_with('*') && !service.ends_with('*'); }

}  // namespace radix::trust
