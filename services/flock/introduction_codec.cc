#include "services/flock/introduction_codec.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter.h"
#include "services/confab/node.h"
#include "services/flock/config.h"

namespace radix::flock {
namespace {

constexpr std::uint8_t kVersion = 1;

// Lengths and numbers take one byte; a label, and so everything, is shorter than that allows.
void Append(const std::string& text, std::vector<std::uint8_t>& out) {
  out.push_back(static_cast<std::uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

// Takes `count` bytes off the front; false when there are fewer.
bool Take(std::size_t count, std::span<const std::uint8_t>& in, std::string& out) {
  if (in.size() < count) return false;
  out.assign(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
  in = in.subspan(count);
  return true;
}

bool TakeNumber(std::span<const std::uint8_t>& in, std::uint8_t& out) {
  if (in.empty()) return false;
  out = in.front();
  in = in.subspan(1);
  return true;
}

absl::Status Malformed(const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("malformed introduction: ", why));
}

}  // namespace

absl::StatusOr<std::vector<std::uint8_t>> EncodeIntroduction(const Introduction& introduction) {
  if (!IsName(introduction.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--name: '", introduction.name, "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  std::vector<std::uint8_t> bytes = {kVersion};
  Append(introduction.name, bytes);
  bytes.push_back(static_cast<std::uint8_t>(introduction.labels.size()));
  for (const std::string& label : introduction.labels) {
    if (!confab::IsLabel(label)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label: '", label, "' is not 1 to 128 printable characters"));
    }
    Append(label, bytes);
    if (bytes.size() > kIntroductionSizeMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label: the name and all labels must fit into ", kIntroductionSizeMax,
                       " bytes, one more for each; '", label, "' does not"));
    }
  }
  return bytes;
}

absl::StatusOr<Introduction> DecodeIntroduction(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kIntroductionSizeMax) return Malformed("too long");
  std::uint8_t version = 0;
  if (!TakeNumber(bytes, version) || version != kVersion) return Malformed("unknown version");
  Introduction introduction;
  std::uint8_t size = 0;
  if (!TakeNumber(bytes, size) || !Take(size, bytes, introduction.name) ||
      !IsName(introduction.name)) {
    return Malformed("no name");
  }
  std::uint8_t count = 0;
  if (!TakeNumber(bytes, count)) return Malformed("no labels");
  for (; count > 0; --count) {
    std::string label;
    if (!TakeNumber(bytes, size) || !Take(size, bytes, label) || !confab::IsLabel(label)) {
      return Malformed("bad label");
    }
    introduction.labels.push_back(std::move(label));
  }
  if (!bytes.empty()) return Malformed("more than it says");
  return introduction;
}

}  // namespace radix::flock
