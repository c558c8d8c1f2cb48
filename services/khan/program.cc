#include "services/khan/program.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/khan/lexer.h"
#include "services/khan/parser.h"

namespace radix::khan {
namespace {

absl::Status At(const Source& source, const Fault& fault) {
  std::string place;
  if (!source.file.empty()) {
    place = source.file;
    if (source.first_line > 0) absl::StrAppend(&place, ":", source.first_line + fault.at.line - 1);
    absl::StrAppend(&place, ": khan ");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(place, fault.at.line, ":", fault.at.column, ": ", fault.message));
}

}  // namespace

absl::StatusOr<Program> Program::Parse(std::string_view text, const std::set<std::string>& services,
                                       const Source& source) {
  if (text.size() > kTextMax) {
    return At(source, {{}, absl::StrCat("the program is longer than ", kTextMax, " bytes")});
  }
  std::vector<Token> tokens;
  if (Fault fault = Split(text, tokens); !fault.message.empty()) return At(source, fault);
  Program program;
  Parser parser(std::move(tokens), services);
  if (Fault fault = parser.Run(program); !fault.message.empty()) return At(source, fault);
  return program;
}

}  // namespace radix::khan
