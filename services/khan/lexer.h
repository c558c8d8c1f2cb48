// Splits the text of a khan program into tokens.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/khan/fault.h"
#include "services/khan/program.h"

namespace radix::khan {

enum class TokenKind : std::uint8_t {
  kName,    // a letter or `_`, then letters, digits and `_`
  kNumber,  // digits
  kLabel,   // what stands between `LABEL(` and `)`, without the spaces around it
  kSymbol,  // `:=` or one of ( ) , ; ! & | + - * / . % =
  kEnd,     // behind the last one
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  Position at;
};

// Splits `text`, appending to `tokens`, of which the last is then kEnd. Returns the first fault:
// a character that no token begins with, a number with letters in it, or a malformed label.
Fault Split(std::string_view text, std::vector<Token>& tokens);

}  // namespace radix::khan
