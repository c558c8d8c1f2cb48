#include "clients/cli/program_file.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace radix::cli {
namespace {

constexpr std::size_t kLineMax = 256;  // what the kernel reads of a script

// What is wrong with a script that begins with `start`; empty for nothing.
std::string ScriptProblem(std::string_view start) {
  std::string_view line = start.substr(2, start.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
  if (interpreter.empty()) return "is a script whose #! line names no interpreter";
  if (interpreter.front() == '/') return "";
  return absl::StrCat("is a script whose interpreter, '", interpreter, "', is no absolute path");
}

constexpr char kOwnByteOrder =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

// The same for an ELF file. Of a program something says where it begins to run.
template <typename Header>
std::string ElfProblem(std::string_view start) {
  if (start.size() < sizeof(Header)) return "is an ELF file that was cut off";
  if (start[EI_DATA] != kOwnByteOrder) return "";  // for other machines; they will say
  Header header;
  std::memcpy(&header, start.data(), sizeof header);
  const bool runs = (header.e_type == ET_EXEC || header.e_type == ET_DYN) && header.e_entry != 0;
  return runs ? "" : "is an ELF file, but no executable";
}

std::string Problem(std::string_view start) {
  if (start.empty()) return "is empty";
  if (start.starts_with("#!")) return ScriptProblem(start);
  if (!start.starts_with(ELFMAG)) {
    return "is neither an ELF executable nor a script that begins with #!";
  }
  const bool narrow = start.size() > EI_CLASS && start[EI_CLASS] == ELFCLASS32;
  return narrow ? ElfProblem<Elf32_Ehdr>(start) : ElfProblem<Elf64_Ehdr>(start);
}

}  // namespace

absl::Status CheckProgramFile(const std::filesystem::path& path) {
  std::string start(kLineMax, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  const std::string problem = Problem(start);
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path.string(), ": ", problem, "; build the program, or name another file"));
}

}  // namespace radix::cli
