#include "clients/cli/manifest_file.h"

#include <unistd.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/program_file.h"
#include "clients/cpp/checksum.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

using proctor::v1::Manifest;
using proctor::v1::ServiceSpec;
// What a new revision of all manifests together may have is twice as much.
constexpr std::size_t kManifestBytesMax = std::size_t{1} << 20;

using Fields = std::map<std::string, YAML::Node>;

// A wrong manifest: what is wrong, and at which line (0-based, as yaml-cpp counts).
[[noreturn]] void Refuse(const YAML::Mark& mark, const std::string& message) {
  throw YAML::RepresentationException(mark, message);
}

// Levenshtein's distance.
std::size_t Distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

std::string Suggestion(const std::string& field, const std::vector<std::string>& known) {
  for (const std::string& each : known) {
    if (field.size() < 64 && Distance(field, each) <= 2) {
      return absl::StrCat("; did you mean '", each, "'?");
    }
  }
  return absl::StrCat("; there are ", absl::StrJoin(known, ", "));
}

// Reads a mapping whose fields are all in `known`, each once. `where` names it in messages.
Fields ReadFields(const YAML::Node& node, const std::string& where,
                  const std::vector<std::string>& known) {
  if (!node.IsMap()) Refuse(node.Mark(), absl::StrCat(where, "must be `field: value` lines"));
  Fields fields;
  for (const auto& entry : node) {
    const auto name = entry.first.IsScalar() ? entry.first.as<std::string>() : "";
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Refuse(entry.first.Mark(),
             absl::StrCat(where, "unknown field '", name, "'", Suggestion(name, known)));
    }
    if (!fields.emplace(name, entry.second).second) {
      Refuse(entry.first.Mark(), absl::StrCat(where, "field '", name, "' is there twice"));
    }
  }
  return fields;
}

std::string Text(const YAML::Node& node, const std::string& field) {
  if (!node.IsScalar()) Refuse(node.Mark(), absl::StrCat(field, ": must be a text"));
  std::string text = node.as<std::string>();
  if (text.find('\0') != std::string::npos) {
    Refuse(node.Mark(), absl::StrCat(field, ": holds a zero byte, which nothing here can"));
  }
  return text;
}

// The name of a variable. Checked here, since a `=` in it would later pass for the value's begin.
std::string VariableName(const YAML::Node& node, const std::string& field) {
  const auto name = node.IsScalar() ? node.as<std::string>() : "";
  const bool good = !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(),
                                [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
  if (good) return name;
  Refuse(node.Mark(), absl::StrCat(field, ": '", absl::CEscape(name),
                                   "' is no variable's name: A-Z, a-z, 0-9 and _, no digit first"));
}

// The bytes of the first character of `text`, which is not empty; 0 when it is no UTF-8.
std::size_t CharacterSize(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Neither longer than need be, nor a surrogate, nor beyond the last character.
  const unsigned second = byte(1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return wrong ? 0 : size;
}

// Protobuf carries no other text.
void CheckUtf8(std::string_view text) {
  YAML::Mark mark;
  while (!text.empty()) {
    const std::size_t size = CharacterSize(text);
    if (size == 0) Refuse(mark, "is not UTF-8");
    if (text.front() == '\n') ++mark.line;
    text.remove_prefix(size);
  }
}

const YAML::Node& Required(const YAML::Node& parent, const Fields& fields, const std::string& where,
                           const std::string& name) {
  const auto found = fields.find(name);
  if (found == fields.end()) Refuse(parent.Mark(), absl::StrCat(where, name, ": is missing"));
  return found->second;
}

ServiceSpec ReadService(const YAML::Node& node, std::size_t index) {
  const std::string where = absl::StrCat("services[", index, "]: ");
  const Fields fields =
      ReadFields(node, where, {"name", "api", "inst", "file", "args", "env", "horde"});
  const auto required = [&](const char* name) {
    return Text(Required(node, fields, where, name), absl::StrCat(where, name));
  };
  ServiceSpec spec;
  spec.set_name(required("name"));
  spec.set_api(required("api"));
  spec.set_inst(required("inst"));
  spec.set_file(required("file"));
  spec.set_line(node.Mark().line + 1);
  if (const auto horde = fields.find("horde"); horde != fields.end()) {
    spec.set_horde(Text(horde->second, where + "horde"));
  }
  if (const auto args = fields.find("args"); args != fields.end() && !args->second.IsNull()) {
    if (!args->second.IsSequence()) {
      Refuse(args->second.Mark(), where + "args: must be a list of texts");
    }
    for (const auto& argument : args->second) spec.add_args(Text(argument, where + "args"));
  }
  if (const auto env = fields.find("env"); env != fields.end() && !env->second.IsNull()) {
    if (!env->second.IsMap())
      Refuse(env->second.Mark(), where + "env: must be `NAME: value` lines");
    std::set<std::string> seen;
    for (const auto& entry : env->second) {
      const std::string name = VariableName(entry.first, where + "env");
      if (!seen.insert(name).second) {
        Refuse(entry.first.Mark(), absl::StrCat(where, "env: '", name, "' is there twice"));
      }
      spec.add_env(absl::StrCat(name, "=", Text(entry.second, absl::StrCat(where, "env.", name))));
    }
  }
  return spec;
}

// The line (from 1) on which a scalar's first line stands: a block's begins behind its `|`.
int FirstLine(const std::string& text, const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  const auto place = static_cast<std::size_t>(std::max(mark.pos, 0));
  const bool block = place < text.size() && (text[place] == '|' || text[place] == '>');
  return mark.line + (block ? 2 : 1);
}

Manifest ReadManifest(const std::string& text, const std::string& source) {
  CheckUtf8(text);
  const std::vector<YAML::Node> documents = YAML::LoadAll(text);
  if (documents.empty()) {
    Refuse(YAML::Mark(), "is empty; a manifest has version, name, services and khan");
  }
  if (documents.size() > 1) {
    Refuse(documents[1].Mark(), "a second document begins; give each manifest a file of its own");
  }
  const YAML::Node& root = documents[0];
  const Fields fields = ReadFields(root, "", {"version", "name", "horde", "services", "khan"});
  const YAML::Node& version = Required(root, fields, "", "version");
  if (Text(version, "version") != "1") {
    Refuse(version.Mark(), absl::StrCat("version: '", Text(version, "version"),
                                        "' is not known; this radix reads version 1"));
  }
  Manifest manifest;
  manifest.set_source(source);
  manifest.set_name(Text(Required(root, fields, "", "name"), "name"));
  const YAML::Node& services = Required(root, fields, "", "services");
  if (!services.IsSequence()) Refuse(services.Mark(), "services: must be a list; [] for none");
  const auto horde = fields.find("horde");
  for (std::size_t i = 0; i < services.size(); ++i) {
    ServiceSpec& spec = *manifest.add_services() = ReadService(services[i], i);
    if (spec.horde().empty() && horde != fields.end()) spec.set_horde(Text(horde->second, "horde"));
  }
  const YAML::Node& khan = Required(root, fields, "", "khan");
  manifest.set_khan(Text(khan, "khan"));
  manifest.set_khan_line(FirstLine(text, khan));
  return manifest;
}

// Where a service's file is, or the reason why it is nowhere.
absl::StatusOr<fs::path> Locate(const fs::path& programs, const std::string& file) {
  fs::path path = file;
  if (!path.is_absolute()) {
    if (file.empty() || file.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", file, "' is neither sha256:HEX, nor an absolute path, nor the name of a file in ",
          programs.string()));
    }
    path = programs / file;
  }
  std::error_code error;
  if (!fs::is_regular_file(path, error) || access(path.c_str(), R_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": ",
                     fs::exists(path, error) ? "is no readable file" : "there is no such file",
                     "; build it, or correct its name"));
  }
  if (absl::Status runs = CheckProgramFile(path); !runs.ok()) return runs;
  return path;
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(const std::string& text, const std::string& source) {
  try {
    return ReadManifest(text, source);
  } catch (const YAML::DeepRecursion& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ":", error.mark.line + 1, ": is nested too deeply"));
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 1 : error.mark.line + 1;
    return absl::InvalidArgumentError(absl::StrCat(source, ":", line, ": ", error.msg));
  }
}

absl::StatusOr<Manifest> LoadManifest(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  if (!file || fs::is_directory(path, error)) {
    return absl::NotFoundError(
        absl::StrCat(path.string(), ": ",
                     fs::exists(path, error) ? "is no readable file" : "there is no such file"));
  }
  // Not to its end: a device or a pipe may have none.
  std::string text(kManifestBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kManifestBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": is longer than ", kManifestBytesMax, " bytes, which no manifest may be"));
  }
  return ParseManifest(text, path.string());
}

absl::Status ResolveFiles(const fs::path& programs,
                          const std::function<absl::StatusOr<std::string>(const fs::path&)>& put,
                          Manifest& manifest) {
  const auto refuse = [&manifest](int i, const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat(manifest.source(), ":", manifest.services(i).line(),
                                     ": services[", i, "]: file: ", std::string(status.message())));
  };
  // Everything is looked at before anything is put.
  std::map<int, fs::path> paths;
  for (int i = 0; i < manifest.services_size(); ++i) {
    ServiceSpec& spec = *manifest.mutable_services(i);
    if (spec.file().rfind("sha256:", 0) == 0) {
      const auto checksum = Checksum::Parse(spec.file());
      if (!checksum.ok()) return refuse(i, checksum.status());
      spec.set_file(checksum->ToString());
    } else {
      auto path = Locate(programs, spec.file());
      if (!path.ok()) return refuse(i, path.status());
      paths.emplace(i, *std::move(path));
    }
  }
  std::map<fs::path, std::string> done;
  for (const auto& [i, path] : paths) {
    if (!done.contains(path)) {
      auto checksum = put(path);
      if (!checksum.ok()) return refuse(i, checksum.status());
      done.emplace(path, *std::move(checksum));
    }
    manifest.mutable_services(i)->set_file(done.at(path));
  }
  return absl::OkStatus();
}

}  // namespace radix::cli
