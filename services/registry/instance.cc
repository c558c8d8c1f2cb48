#include "services/registry/instance.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter.h"

namespace radix::registry {
namespace {

constexpr std::size_t kNameMax = 63;
constexpr std::size_t kQuoteMax = 64;

// FNV-1a, field by field: the length in front keeps "ab","c" and "a","bc" apart.
class Hasher {
 public:
  void Add(std::string_view text) {
    Add(text.size());
    for (const char c : text) AddByte(static_cast<std::uint8_t>(c));
  }
  void Add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) AddByte(static_cast<std::uint8_t>(number >> shift));
  }
  // Mixed once more, because digests are sums of these.
  std::uint64_t Finish() const {
    std::uint64_t z = hash_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  void AddByte(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }

  std::uint64_t hash_ = 0xcbf29ce484222325;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string Quote(std::string_view text) {
  const bool whole = text.size() <= kQuoteMax;
  return absl::StrCat("'", absl::CEscape(std::string(text.substr(0, kQuoteMax))),
                      whole ? "'" : "...'");
}

}  // namespace

bool SameToReaders(const Instance& a, const Instance& b) {
  return static_cast<const InstanceId&>(a) == b && a.status == b.status &&
         a.start_ns == b.start_ns && a.labels == b.labels && a.pid == b.pid;
}

std::uint64_t HashOf(const Instance& instance) {
  Hasher hasher;
  hasher.Add(instance.horde);
  hasher.Add(instance.api);
  hasher.Add(instance.inst);
  hasher.Add(instance.node);
  hasher.Add(instance.net_id);
  hasher.Add(static_cast<std::uint64_t>(instance.status));
  hasher.Add(static_cast<std::uint64_t>(instance.start_ns));
  for (const std::string& label : instance.labels) hasher.Add(label);
  hasher.Add(static_cast<std::uint64_t>(instance.pid));
  return hasher.Finish();
}

bool Selector::Matches(const InstanceId& id) const {
  return (horde.empty() || horde == id.horde) && (api.empty() || api == id.api) &&
         (inst.empty() || inst == id.inst);
}

bool IsApiName(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                  c == '_' || c == '-';
         });
}

absl::Status CheckName(const std::string& field, std::string_view text) {
  if (IsName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", Quote(text), " is not 1 to 63 characters of a-z 0-9 -"));
}

absl::Status CheckApiName(const std::string& field, std::string_view text) {
  if (IsApiName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", Quote(text), " is not 1 to 63 characters of A-Z a-z 0-9 . _ -"));
}

bool NumberWidthsDiffer(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!IsDigit(a[i]) || !IsDigit(b[j])) {
      if (a[i++] != b[j++]) return false;
      continue;
    }
    const std::size_t a_begin = i;
    const std::size_t b_begin = j;
    while (i < a.size() && IsDigit(a[i])) ++i;
    while (j < b.size() && IsDigit(b[j])) ++j;
    if (i - a_begin != j - b_begin) return true;
    if (a.substr(a_begin, i - a_begin) != b.substr(b_begin, j - b_begin)) return false;
  }
  return false;
}

}  // namespace radix::registry
