#include "services/khan/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace radix::khan {
namespace {

constexpr std::array<std::string_view, 8> kReserved = {"ALL",  "LABEL", "pick",  "pickh",
                                                       "size", "start", "after", "of"};

bool IsReserved(const std::string& name) {
  return std::find(kReserved.begin(), kReserved.end(), std::string_view(name)) != kReserved.end();
}

std::string Describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end of the program";
  return absl::StrCat("'", token.text, "'");
}

std::string Show(Position at) { return absl::StrCat(at.line, ":", at.column); }

}  // namespace

Fault Parser::Run(Program& program) {
  while (!failed() && Peek().kind != TokenKind::kEnd) {
    if (Sees(";")) {
      Take();
    } else {
      Statement();
    }
  }
  if (!failed()) Resolve();
  if (!failed()) FindCycles();
  if (!failed()) {
    program.expressions_ = std::move(expressions_);
    program.statements_ = std::move(statements_);
  }
  return fault_;
}

void Parser::Statement() {
  if (statements_.size() == Program::kStatementsMax) {
    return Fail(Peek().at, absl::StrCat("more than ", Program::kStatementsMax, " statements"));
  }
  if (SeesWord("start")) {
    return Fail(Peek().at, "'start ... after ...' is not supported yet; remove the statement");
  }
  const Token& second = tokens_[std::min(next_ + 1, tokens_.size() - 1)];
  if (Peek().kind != TokenKind::kName || second.text != ":=") {
    statements_.push_back(Set(0));
    return;
  }
  const Token name = Take();
  Take();
  if (IsReserved(name.text)) {
    return Fail(name.at, absl::StrCat("'", name.text, "' is a word of khan; choose another name"));
  }
  if (auto before = defined_at_.find(name.text); before != defined_at_.end()) {
    return Fail(name.at, absl::StrCat("'", name.text, "' is defined already, at ",
                                      Show(before->second), "; each name is defined once"));
  }
  defined_at_[name.text] = name.at;
  statements_.push_back(Set(0));
  definitions_[name.text] = statements_.back();
}

std::size_t Parser::Set(int depth) {
  std::size_t left = And(depth + 1);
  while (!failed() && Sees("|")) {
    const Position at = Take().at;
    const std::size_t right = And(depth + 1);
    left = Add({.kind = Kind::kOr, .at = at, .operands = {left, right}});
  }
  return left;
}

std::size_t Parser::And(int depth) {
  std::size_t left = Not(depth + 1);
  while (!failed() && Sees("&")) {
    const Position at = Take().at;
    const std::size_t right = Not(depth + 1);
    left = Add({.kind = Kind::kAnd, .at = at, .operands = {left, right}});
  }
  return left;
}

std::size_t Parser::Not(int depth) {
  if (TooDeep(depth)) return 0;
  if (!Sees("!")) return Primary(depth + 1);
  const Position at = Take().at;
  const std::size_t operand = Not(depth + 1);
  return Add({.kind = Kind::kNot, .at = at, .operands = {operand}});
}

std::size_t Parser::Primary(int depth) {
  if (Sees("(")) {
    Take();
    const std::size_t inner = Set(depth + 1);
    Expect(")", "to close '('");
    return inner;
  }
  const std::string_view expected = "a set: ALL, LABEL(x), pick(...), a name, '!' or '('";
  if (Peek().kind != TokenKind::kName) {
    FailHere(expected);
    return 0;
  }
  if (SeesWord("ALL")) return Add({.kind = Kind::kAll, .at = Take().at});
  if (SeesWord("LABEL")) return Label();
  if (SeesWord("pick")) return Pick(depth);
  if (SeesWord("pickh")) {
    Fail(Peek().at, "pickh is not supported yet; use pick");
    return 0;
  }
  if (IsReserved(Peek().text)) {
    FailHere(expected);
    return 0;
  }
  const Token name = Take();
  return Add({.kind = Kind::kName, .at = name.at, .text = name.text});
}

std::size_t Parser::Label() {
  const Position at = Take().at;
  Expect("(", "behind LABEL");
  if (failed()) return 0;
  if (Peek().kind != TokenKind::kLabel) {
    FailHere("a label such as KV or rack=7");
    return 0;
  }
  const std::string label = Take().text;
  Expect(")", "behind LABEL's text");
  return Add({.kind = Kind::kLabel, .at = at, .text = label});
}

std::size_t Parser::Pick(int depth) {
  const Position at = Take().at;
  Expect("(", "behind pick");
  if (failed()) return 0;
  if (Peek().kind != TokenKind::kName) {
    FailHere("the name of a service, as in pick(service, count, set)");
    return 0;
  }
  const Token service = Take();
  if (services_.count(service.text) == 0) {
    const std::string known = services_.empty()
                                  ? "none is declared"
                                  : absl::StrCat("known: ", absl::StrJoin(services_, ", "));
    Fail(service.at, absl::StrCat("unknown service '", service.text, "' (", known, ")"));
    return 0;
  }
  if (auto before = picked_at_.find(service.text); before != picked_at_.end()) {
    Fail(service.at,
         absl::StrCat("'", service.text, "' is picked already, at ", Show(before->second),
                      "; a service is picked once, its count is the total"));
    return 0;
  }
  picked_at_[service.text] = service.at;
  Expect(",", "behind pick's service");
  const std::size_t count = failed() ? 0 : Number(depth + 1);
  Expect(",", "behind pick's count");
  const std::size_t set = failed() ? 0 : Set(depth + 1);
  Expect(")", "behind pick's set");
  return Add({.kind = Kind::kPick, .at = at, .text = service.text, .operands = {count, set}});
}

std::size_t Parser::Number(int depth) {
  std::size_t left = Term(depth + 1);
  while (!failed() && (Sees("+") || Sees("-"))) {
    const Token sign = Take();
    const Kind kind = sign.text == "+" ? Kind::kAdd : Kind::kSubtract;
    const std::size_t right = Term(depth + 1);
    left = Add({.kind = kind, .at = sign.at, .operands = {left, right}});
  }
  return left;
}

std::size_t Parser::Term(int depth) {
  std::size_t left = Factor(depth + 1);
  while (!failed() && (Sees("*") || Sees("/"))) {
    const Token sign = Take();
    const Kind kind = sign.text == "*" ? Kind::kMultiply : Kind::kDivide;
    const std::size_t right = Factor(depth + 1);
    left = Add({.kind = kind, .at = sign.at, .operands = {left, right}});
  }
  return left;
}

std::size_t Parser::Factor(int depth) {
  if (TooDeep(depth)) return 0;
  if (Sees("(")) {
    Take();
    const std::size_t inner = Number(depth + 1);
    Expect(")", "to close '('");
    return inner;
  }
  if (SeesWord("size")) {
    const Position at = Take().at;
    Expect("(", "behind size");
    const std::size_t set = failed() ? 0 : Set(depth + 1);
    Expect(")", "behind size's set");
    return Add({.kind = Kind::kSize, .at = at, .operands = {set}});
  }
  if (Peek().kind != TokenKind::kNumber) {
    FailHere("a number: digits, size(...) or '('");
    return 0;
  }
  const Token digits = Take();
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(digits.text, &value) || value > Program::kNumberMax) {
    Fail(digits.at, absl::StrCat("'", digits.text, "' is more than ", Program::kNumberMax));
    return 0;
  }
  return Add({.kind = Kind::kNumber, .at = digits.at, .number = value});
}

bool Parser::Sees(std::string_view symbol) const {
  return Peek().kind == TokenKind::kSymbol && Peek().text == symbol;
}

bool Parser::SeesWord(std::string_view word) const {
  return Peek().kind == TokenKind::kName && Peek().text == word;
}

Token Parser::Take() {
  Token token = Peek();
  if (next_ + 1 < tokens_.size()) ++next_;
  return token;
}

void Parser::Expect(std::string_view symbol, std::string_view where) {
  if (failed()) return;
  if (Sees(symbol)) {
    Take();
    return;
  }
  FailHere("'" + std::string(symbol) + "' " + std::string(where));
}

std::size_t Parser::Add(Expression expression) {
  expressions_.push_back(std::move(expression));
  return expressions_.size() - 1;
}

bool Parser::TooDeep(int depth) {
  // Each nesting of the grammar is five calls deep at most.
  if (depth <= 5 * Program::kDepthMax) return failed();
  Fail(Peek().at, "nested too deeply");
  return true;
}

void Parser::Fail(Position at, std::string message) {
  if (!failed()) fault_ = {at, std::move(message)};
}

void Parser::FailHere(std::string_view expected) {
  Fail(Peek().at, "expected " + std::string(expected) + ", found " + Describe(Peek()));
}

// Ties each name to what it stands for.
void Parser::Resolve() {
  for (Expression& expression : expressions_) {
    if (expression.kind != Kind::kName) continue;
    if (auto found = definitions_.find(expression.text); found != definitions_.end()) {
      expression.operands = {found->second};
      continue;
    }
    const std::string hint = services_.count(expression.text) != 0
                                 ? absl::StrCat("; a service is no set, write ", expression.text,
                                                " := pick(", expression.text, ", ...)")
                                 : absl::StrCat("; define it with ", expression.text, " := ...");
    return Fail(expression.at, absl::StrCat("undefined name '", expression.text, "'", hint));
  }
}

void Parser::FindCycles() {
  std::vector<int> depths(expressions_.size(), 0);
  for (std::size_t statement : statements_) {
    Visit(statement, 0, depths);
    if (failed()) return;
  }
}

// The depth of an expression, definitions included. In `depths`, 0 is unknown and -1 is being
// visited, so that meeting it again is a cycle. `above` expressions are being visited already.
int Parser::Visit(std::size_t index, int above, std::vector<int>& depths) {
  if (depths[index] > 0) return depths[index];
  const Expression& expression = expressions_[index];
  if (above >= Program::kDepthMax) {
    Fail(expression.at, "nested too deeply");
    return 0;
  }
  depths[index] = -1;
  int depth = 0;
  for (std::size_t operand : expression.operands) {
    if (expression.kind == Kind::kName && depths[operand] < 0) {
      Fail(expression.at, absl::StrCat("'", expression.text, "' is defined by itself"));
      return 0;
    }
    depth = std::max(depth, Visit(operand, above + 1, depths));
    if (failed()) return 0;
  }
  if (depth >= Program::kDepthMax) {
    Fail(expression.at, "nested too deeply");
    return 0;
  }
  depths[index] = depth + 1;
  return depth + 1;
}

}  // namespace radix::khan
