#include "services/khan/program.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/khan/fault.h"
#include "services/khan/lexer.h"
#include "services/khan/parser.h"

namespace radix::khan {
absl::StatusOr<Program> Program::Parse(std::string_view text, const std::set<std::string>& services,
                                       const Source& source) {
  if (text.size() > kTextMax) {
    return ToStatus({{}, absl::StrCat("the program is longer than ", kTextMax, " bytes")}, source);
  }
  std::vector<Token> tokens;
  if (Fault fault = Split(text, tokens); !fault.message.empty()) return ToStatus(fault, source);
  Program program;
  Parser parser(std::move(tokens), services);
  if (Fault fault = parser.Run(program); !fault.message.empty()) return ToStatus(fault, source);
  return program;
}

}  // namespace radix::khan
