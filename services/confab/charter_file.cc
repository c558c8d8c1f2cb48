#include "services/confab/charter_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/entropy.h"
#include "services/confab/replace_file.h"

namespace radix::confab {
namespace {

constexpr std::size_t kKeysMax = 3;  // previous, current, next
constexpr std::size_t kCharterBytesMax = 64 * 1024;

std::string At(const std::filesystem::path& path, const YAML::Mark& mark) {
  return mark.is_null() ? absl::StrCat(path.string(), ": ")
                        : absl::StrCat(path.string(), ":", mark.line + 1, ": ");
}

// Reads one scalar, or throws YAML::RepresentationException with its place and a message.
template <typename T>
T Scalar(const std::string& field, const YAML::Node& value, const char* kind) {
  try {
    return value.as<T>();
  } catch (const YAML::BadConversion&) {
    throw YAML::RepresentationException(value.Mark(), absl::StrCat(field, ": must be ", kind));
  }
}

void ReadField(const std::string& field, const YAML::Node& value, CharterFields& fields) {
  if (field == "bloc") {
    fields.bloc = Scalar<std::string>(field, value, "a text");
  } else if (field == "ranges") {
    fields.ranges = Scalar<std::vector<std::string>>(field, value, "a list of texts");
  } else if (field == "port") {
    fields.port = Scalar<std::int64_t>(field, value, "a number");
  } else if (field == "at_most") {
    fields.at_most = Scalar<std::int64_t>(field, value, "a number");
  } else if (field == "quorum") {
    fields.quorum = Scalar<std::int64_t>(field, value, "a number");
  } else if (field == "key_file") {
    fields.key_file = Scalar<std::string>(field, value, "a text");
  } else {
    throw YAML::RepresentationException(
        value.Mark(), absl::StrCat("unknown field '", field,
                                   "'; there are bloc, ranges, port, at_most, quorum, key_file"));
  }
}

absl::StatusOr<SecondaryKey> ParseKey(const std::string& line) {
  SecondaryKey key{};
  std::size_t size = 0;
  const char* end = nullptr;
  if (line.size() != 2 * key.size() ||
      sodium_hex2bin(key.data(), key.size(), line.data(), line.size(), nullptr, &size, &end) != 0 ||
      size != key.size() || end != line.data() + line.size()) {
    return absl::InvalidArgumentError("must be 64 hex digits");
  }
  if (sodium_is_zero(key.data(), key.size()) != 0) {
    return absl::InvalidArgumentError("is all zeros, which anybody can guess: `fulcrum keygen`");
  }
  return key;
}

constexpr std::size_t kLineSize = 2 * sizeof(SecondaryKey) + 1;

std::array<char, kLineSize> LineOf(const SecondaryKey& key) {
  std::array<char, kLineSize> line{};
  sodium_bin2hex(line.data(), line.size(), key.data(), key.size());
  line.back() = '\n';
  return line;
}

// Not by yaml-cpp, whose reader leaks when reading throws. Not to its end: a device may have none.
absl::StatusOr<std::string> ReadCharter(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
  }
  std::string text(kCharterBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {  // a folder opens as a file does
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": is no readable file"));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kCharterBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": is larger than 64 KiB, so it is no charter"));
  }
  return text;
}

}  // namespace

absl::StatusOr<Charter> LoadCharter(const std::filesystem::path& path) {
  const auto text = ReadCharter(path);
  if (!text.ok()) return text.status();
  CharterFields fields;
  YAML::Mark first_line = YAML::Mark::null_mark();
  std::map<std::string, YAML::Mark> seen;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(*text);
    if (documents.empty() || !documents[0].IsMap()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ":1: must be a list of `field: value` lines"));
    }
    if (documents.size() > 1) {  // all but the first would go unread
      throw YAML::RepresentationException(documents[1].Mark(), "a second document begins");
    }
    const YAML::Node& root = documents[0];
    first_line = root.Mark();
    for (const auto& entry : root) {
      const auto field = entry.first.as<std::string>();
      if (!seen.emplace(field, entry.first.Mark()).second) {
        throw YAML::RepresentationException(entry.first.Mark(),
                                            absl::StrCat("field '", field, "' is there twice"));
      }
      if (entry.second.IsNull()) {  // it would read as the text "null"
        throw YAML::RepresentationException(entry.first.Mark(),
                                            absl::StrCat(field, ": must not be empty"));
      }
      ReadField(field, entry.second, fields);
    }
  } catch (const YAML::DeepRecursion& error) {
    return absl::InvalidArgumentError(absl::StrCat(At(path, error.mark), "is nested too deeply"));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(At(path, error.mark), error.msg));
  }
  auto charter = Charter::Create(fields);
  if (charter.ok()) return charter;
  // The core names the field first; the line is where that field stands.
  const std::string message(charter.status().message());
  const auto place = seen.find(message.substr(0, message.find(':')));
  return absl::InvalidArgumentError(
      absl::StrCat(At(path, place == seen.end() ? first_line : place->second), message));
}

std::filesystem::path KeyFilePath(const std::filesystem::path& charter_path,
                                  const Charter& charter) {
  return charter_path.parent_path() / charter.key_file;
}

absl::StatusOr<std::vector<SecondaryKey>> LoadKeys(const std::filesystem::path& charter_path,
                                                   const Charter& charter) {
  const std::filesystem::path path = KeyFilePath(charter_path, charter);
  const auto name = path.string();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would hang
  if (fd < 0) {
    return absl::NotFoundError(
        absl::StrCat(name, ": ", std::strerror(errno), "; `fulcrum keygen ", name, "` makes one"));
  }
  struct stat info {};
  fstat(fd, &info);
  std::string text(1024, '\0');
  const ssize_t size = read(fd, text.data(), text.size());
  close(fd);
  if (!S_ISREG(info.st_mode) || size < 0) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": is no readable file"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(name, ": group or others have permissions on it; chmod 600 it"));
  }
  text.resize(static_cast<std::size_t>(size));
  std::vector<SecondaryKey> keys;
  std::size_t line_number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    ++line_number;
    auto key = keys.size() == kKeysMax ? absl::InvalidArgumentError("there are at most 3 keys")
                                       : ParseKey(text.substr(start, end - start));
    if (!key.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":", line_number, ": ", key.status().message()));
    }
    keys.push_back(*key);
    start = end + 1;
  }
  sodium_memzero(text.data(), text.size());
  if (keys.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ":1: has no key"));
  return keys;
}

absl::Status ReplaceKeyFile(const std::filesystem::path& path,
                            const std::vector<SecondaryKey>& keys, const std::string& by) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  std::string text;
  text.reserve(keys.size() * kLineSize);
  for (const SecondaryKey& key : keys) text.append(LineOf(key).data(), kLineSize);
  absl::Status replaced = ReplaceFile(error ? path : real, text, "." + by + ".new");
  sodium_memzero(text.data(), text.size());
  return replaced;
}

absl::Status MakeKeyFile(const std::filesystem::path& path) {
  SecondaryKey key{};
  FillRandom(key);
  const auto hex = LineOf(key);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    const std::string message = absl::StrCat(path.string(), ": ", std::strerror(errno));
    return errno == EEXIST ? absl::AlreadyExistsError(message)
                           : absl::PermissionDeniedError(message);
  }
  const bool written =
      write(fd, hex.data(), hex.size()) == static_cast<ssize_t>(hex.size()) && fsync(fd) == 0;
  const std::string reason = std::strerror(errno);
  close(fd);
  if (written) return absl::OkStatus();
  unlink(path.c_str());
  return absl::ResourceExhaustedError(absl::StrCat(path.string(), ": ", reason));
}

}  // namespace radix::confab
