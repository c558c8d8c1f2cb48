// Builds a Program from tokens: recursive descent, one token of look-ahead (two behind a name).

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/khan/lexer.h"
#include "services/khan/program.h"

namespace radix::khan {

// Parses one text. Only Program::Parse uses it. The first fault ends everything: methods that find
// one note it in fault_ and return whatever index; their callers look at failed().
class Parser {
 public:
  Parser(std::vector<Token> tokens, const std::set<std::string>& services)
      : tokens_(std::move(tokens)), services_(services) {}

  // Fills `program`; returns the first fault.
  Fault Run(Program& program);

 private:
  void Statement();
  std::size_t Set(int depth);
  std::size_t And(int depth);
  std::size_t Not(int depth);
  std::size_t Primary(int depth);
  std::size_t Label();
  std::size_t Pick(int depth);
  std::size_t Number(int depth);
  std::size_t Term(int depth);
  std::size_t Factor(int depth);

  const Token& Peek() const { return tokens_[next_]; }
  bool Sees(std::string_view symbol) const;
  bool SeesWord(std::string_view word) const;
  Token Take();
  void Expect(std::string_view symbol, std::string_view where);
  std::size_t Add(Expression expression);
  bool TooDeep(int depth);
  void Fail(Position at, std::string message);
  void FailHere(std::string_view expected);
  bool failed() const { return !fault_.message.empty(); }

  void Resolve();
  void FindCycles();
  int Visit(std::size_t index, int above, std::vector<int>& depths);

  std::vector<Token> tokens_;
  const std::set<std::string>& services_;
  std::size_t next_ = 0;
  Fault fault_;
  std::vector<Expression> expressions_;
  std::vector<std::size_t> statements_;
  std::map<std::string, std::size_t> definitions_;  // name to its expression
  std::map<std::string, Position> defined_at_;
  std::map<std::string, Position> picked_at_;
};

}  // namespace radix::khan
