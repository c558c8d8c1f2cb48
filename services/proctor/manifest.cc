#include "services/proctor/manifest.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter.h"
#include "services/registry/hordes.h"

namespace radix::proctor {
namespace {

constexpr std::array<std::string_view, 4> kOtherOwners = {"dean", "fulcrum", "picket", "proctor"};

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsServiceName(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text[0] >= 'a' && text[0] <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '_'; });
}

bool IsRegistryName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

bool IsVariableName(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
         });
}

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

// Collects the first thing that is wrong with one service.
class ServiceCheck {
 public:
  ServiceCheck(const Manifest& manifest, std::size_t index)
      : spec_(manifest.services[index]),
        first_(manifest.services.front()),
        source_(manifest.source),
        index_(index) {}

  absl::Status Run(Author author) {
    if (!IsServiceName(spec_.name)) {
      return Wrong("name", Quoted(spec_.name) +
                               " is not 1 to 32 of a-z, 0-9 and _, beginning with a letter");
    }
    constexpr std::string_view kPattern = " is not 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-'";
    if (!IsRegistryName(spec_.api)) return Wrong("api", Quoted(spec_.api) + std::string(kPattern));
    if (!IsRegistryName(spec_.inst))
      return Wrong("inst", Quoted(spec_.inst) + std::string(kPattern));
    if (!IsName(spec_.horde)) {
      return Wrong("horde", Quoted(spec_.horde) + " is not 1 to 63 of a-z, 0-9 and '-'");
    }
    if (absl::Status horde = Horde(author); !horde.ok()) return horde;
    if (absl::Status file = File(author); !file.ok()) return file;
    if (absl::Status size = Size(); !size.ok()) return size;
    if (absl::Status args = Arguments(); !args.ok()) return args;
    return Environment();
  }

  absl::Status Wrong(const std::string& field, const std::string& what) const {
    return Refuse("." + field, what);
  }

 private:
  absl::Status Refuse(const std::string& field, const std::string& what) const {
    std::string place;
    if (!source_.empty()) {
      place = source_;
      if (spec_.line > 0) absl::StrAppend(&place, ":", spec_.line);
      place += ": ";
    }
    const std::string label = IsServiceName(spec_.name) ? " (" + spec_.name + ")" : "";
    return absl::InvalidArgumentError(
        absl::StrCat(place, "services[", index_, "]", label, field, ": ", what));
  }

  static std::string Quoted(const std::string& text) { return "'" + text + "'"; }

  // khan speaks of the nodes of one horde.
  absl::Status Horde(Author author) const {
    if (author == Author::kUser && spec_.horde == registry::Hordes::kRadix) {
      return Wrong("horde", Quoted(spec_.horde) + " is the basic services' own");
    }
    if (spec_.horde == first_.horde) return absl::OkStatus();
    return Wrong("horde", absl::StrCat(Quoted(spec_.horde), " is not ", Quoted(first_.horde),
                                       ", of which the first service is: all of a manifest are of "
                                       "one horde; give the others a manifest of their own"));
  }

  absl::Status File(Author author) const {
    if (IsChecksum(spec_.file)) return absl::OkStatus();
    if (author == Author::kBuiltIn && spec_.file.rfind("builtin:", 0) == 0) return absl::OkStatus();
    return Wrong("file", Quoted(spec_.file) +
                             " is not sha256: and 64 lower-case hex digits; `radix put FILE` and "
                             "`radix apply` make one");
  }

  // What picket would refuse, node by node and for ever.
  absl::Status Size() const {
    const std::size_t count = spec_.args.size() + spec_.env.size();
    if (count > kArgumentsMax) {
      return Refuse("", absl::StrCat("args and env are ", count, " together; at most ",
                                     kArgumentsMax, " are taken"));
    }
    std::size_t bytes = 0;
    for (const std::string& arg : spec_.args) bytes += arg.size();
    for (const std::string& entry : spec_.env) bytes += entry.size();
    if (bytes <= kArgumentBytesMax) return absl::OkStatus();
    return Refuse("", absl::StrCat("args and env have ", bytes, " bytes together; at most ",
                                   kArgumentBytesMax,
                                   " are taken: put them into a file that the program reads"));
  }

  absl::Status Arguments() const {
    for (std::size_t i = 0; i < spec_.args.size(); ++i) {
      if (HasNul(spec_.args[i])) {
        return Wrong(absl::StrCat("args[", i, "]"), "holds a zero byte, which no argument can");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Environment() const {
    std::set<std::string> names;
    for (const std::string& entry : spec_.env) {
      const std::size_t equals = entry.find('=');
      const std::string name = entry.substr(0, equals);
      if (equals == std::string::npos || !IsVariableName(name)) {
        return Wrong("env", Quoted(absl::CHexEscape(entry)) +
                                " is not NAME=value, with a name of A-Z, a-z, 0-9 and _");
      }
      if (HasNul(entry)) return Wrong("env", name + ": holds a zero byte, which no variable can");
      if (name.rfind("RADIX_", 0) == 0)
        return Wrong("env", name + ": RADIX_ names are set by Radix");
      if (!names.insert(name).second) return Wrong("env", name + " is set twice");
    }
    return absl::OkStatus();
  }

  const ServiceSpec& spec_;
  const ServiceSpec& first_;
  const std::string& source_;
  std::size_t index_;
};

}  // namespace

bool IsManifestOwner(std::string_view owner) {
  return std::find(kOtherOwners.begin(), kOtherOwners.end(), owner) == kOtherOwners.end();
}

bool IsChecksum(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (text.size() != kPrefix.size() + 64 || text.substr(0, kPrefix.size()) != kPrefix) return false;
  return std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::Status Check(const Manifest& manifest, Author author) {
  const std::string place = manifest.source.empty() ? "" : manifest.source + ": ";
  if (!IsName(manifest.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "name: '", manifest.name, "' is not 1 to 63 of a-z, 0-9 and '-'"));
  }
  const bool reserved = manifest.name == kBuiltInName || !IsManifestOwner(manifest.name);
  if (author == Author::kUser && reserved) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "name: '", manifest.name, "' is reserved; choose another"));
  }
  if (manifest.services.size() > kServicesMax) {
    return absl::InvalidArgumentError(absl::StrCat(place, "services: more than ", kServicesMax));
  }
  if (manifest.khan.size() > kKhanMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, "khan: longer than ", kKhanMax, " bytes"));
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < manifest.services.size(); ++i) {
    ServiceCheck check(manifest, i);
    if (absl::Status status = check.Run(author); !status.ok()) return status;
    if (!names.insert(manifest.services[i].name).second) {
      return check.Wrong("name", "another service of the manifest has that name");
    }
  }
  return absl::OkStatus();
}

}  // namespace radix::proctor
