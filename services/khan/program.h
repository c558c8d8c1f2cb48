// khan, the language that says how many of what, and where: a program as a checked value.
//
//   program   := statement*                      in any order; `;` between them is optional
//   statement := NAME ':=' set | set
//   set       := and ('|' and)*                  `!` binds tightest, then `&`, then `|`
//   and       := not ('&' not)*
//   not       := '!' not | '(' set ')' | ALL | LABEL '(' text ')' | NAME | pick
//   pick      := 'pick' '(' SERVICE ',' number ',' set ')'
//   number    := term (('+' | '-') term)*
//   term      := factor (('*' | '/') factor)*    exact fractions; a count is rounded up
//   factor    := DIGITS | 'size' '(' set ')' | '(' number ')'
//
// `#` begins a comment. A pick is a distribution of instances over nodes; where a set is wanted, it
// stands for the nodes that got one. `pickh` and `start ... after ...` are known words that are
// refused: they are not supported yet.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace radix::khan {

// A place in a program; both count from 1. Columns count bytes.
struct Position {
  int line = 1;
  int column = 1;
};

// Where a program's text stands, for error messages.
struct Source {
  std::string file;    // empty: messages begin with LINE:COLUMN of the program
  int first_line = 0;  // the file's line at which the program begins; 0 if unknown
};

// What an expression is. Those up to kPick are sets, the others numbers.
enum class Kind : std::uint8_t {
  kAll,
  kLabel,
  kName,
  kNot,
  kAnd,
  kOr,
  kPick,
  kNumber,
  kSize,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
};

// One expression. Operands are indices into the program's expressions: of kPick the number, then
// the set; of kName the expression that the name stands for.
struct Expression {
  Kind kind = Kind::kAll;
  Position at;
  std::string text;  // kLabel: the label; kName: the name; kPick: the service
  std::int64_t number = 0;
  std::vector<std::size_t> operands;
};

// A program that is known to be sound: every name is defined, once and not by itself; every service
// is known, and picked once at most.
class Program {
 public:
  static constexpr std::size_t kTextMax = 64 * 1024;
  static constexpr std::size_t kStatementsMax = 1000;
  static constexpr int kDepthMax = 500;  // of nested expressions, definitions included
  static constexpr std::int64_t kNumberMax = 1'000'000'000;

  // Reads `text`, which may pick the services `services`.
  //
  // InvalidArgument, beginning with the place (`LINE:COLUMN: `, or `FILE:LINE: khan LINE:COLUMN: `)
  // and saying what was expected there.
  static absl::StatusOr<Program> Parse(std::string_view text, const std::set<std::string>& services,
                                       const Source& source = {});

  const std::vector<Expression>& expressions() const { return expressions_; }

  // The expressions of the statements, as indices, in the order of the text.
  const std::vector<std::size_t>& statements() const { return statements_; }

 private:
  friend class Parser;

  std::vector<Expression> expressions_;
  std::vector<std::size_t> statements_;
};

}  // namespace radix::khan
