#include "clients/cli/rules_file.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

// Not to its end: a device or a pipe may have none.
std::string ReadSome(std::istream& from) {
  std::string text(trust::Rules::kTextMax + 1, '\0');
  from.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(from.gcount()));
  return text;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  if (file && !fs::is_directory(path, error)) return ReadSome(file);
  return absl::NotFoundError(absl::StrCat(
      path, ": ", fs::exists(path, error) ? "is no readable file" : "there is no such file"));
}

}  // namespace

absl::StatusOr<RulesFile> LoadRules(const std::string& path) {
  const bool is_input = path == "-";
  const std::string source = is_input ? "standard input" : path;
  auto text = is_input ? ReadSome(std::cin) : ReadFile(path);
  if (!text.ok()) return text.status();
  if (text->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": is empty; a list without any rule is a line with a comment"));
  }
  auto rules = trust::Rules::Parse(*text);
  if (!rules.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": ", std::string(rules.status().message())));
  }
  return RulesFile{source, *std::move(text), *std::move(rules)};
}

}  // namespace radix::cli
