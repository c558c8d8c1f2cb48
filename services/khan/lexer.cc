#include "services/khan/lexer.h"

#include <cstddef>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace radix::khan {
namespace {

bool IsNameStart(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }
bool IsLabelPart(char c) {
  return c > ' ' && c < 0x7f && c != '(' && c != ')' && c != ',' && c != '#';
}

std::string Quote(char c) {
  if (c >= ' ' && c < 0x7f) return absl::StrCat("'", std::string(1, c), "'");
  char hex[8];
  std::snprintf(hex, sizeof(hex), "0x%02x", static_cast<unsigned char>(c));
  return absl::StrCat("the byte ", std::string(hex));
}

class Lexer {
 public:
  Lexer(std::string_view text, std::vector<Token>& tokens) : text_(text), tokens_(tokens) {}

  Fault Run() {
    while (true) {
      SkipSpace();
      if (AtEnd()) break;
      if (ExpectsLabel()) {
        if (Fault fault = TakeLabel(); !fault.message.empty()) return fault;
      } else if (IsNameStart(Peek())) {
        TakeWhile(TokenKind::kName, IsNamePart);
      } else if (IsDigit(Peek())) {
        const Position at = at_;
        TakeWhile(TokenKind::kNumber, IsDigit);
        if (!AtEnd() && IsNameStart(Peek())) {
          return {at, absl::StrCat("a number ends in ", Quote(Peek()), "; expected digits only")};
        }
      } else if (Fault fault = TakeSymbol(); !fault.message.empty()) {
        return fault;
      }
    }
    tokens_.push_back({TokenKind::kEnd, "", at_});
    return {};
  }

 private:
  bool AtEnd() const { return offset_ == text_.size(); }
  char Peek() const { return text_[offset_]; }

  void Advance() {
    if (Peek() == '\n') {
      ++at_.line;
      at_.column = 1;
    } else {
      ++at_.column;
    }
    ++offset_;
  }

  void SkipSpace() {
    while (!AtEnd()) {
      if (Peek() == '#') {
        while (!AtEnd() && Peek() != '\n') Advance();
      } else if (absl::ascii_isspace(static_cast<unsigned char>(Peek()))) {
        Advance();
      } else {
        return;
      }
    }
  }

  bool ExpectsLabel() const {
    const std::size_t count = tokens_.size();
    return count >= 2 && tokens_[count - 1].text == "(" &&
           tokens_[count - 2].kind == TokenKind::kName && tokens_[count - 2].text == "LABEL";
  }

  template <typename Accepts>
  void TakeWhile(TokenKind kind, Accepts accepts) {
    Token token{kind, "", at_};
    while (!AtEnd() && accepts(Peek())) {
      token.text += Peek();
      Advance();
    }
    tokens_.push_back(std::move(token));
  }

  Fault TakeLabel() {
    if (!IsLabelPart(Peek())) {
      return {at_, absl::StrCat("expected a label such as KV or rack=7 in LABEL(), found ",
                                Quote(Peek()))};
    }
    TakeWhile(TokenKind::kLabel, IsLabelPart);
    return {};
  }

  Fault TakeSymbol() {
    constexpr std::string_view kSymbols = "(),;!&|+-*/.%=";
    Token token{TokenKind::kSymbol, "", at_};
    if (text_.substr(offset_, 2) == ":=") {
      token.text = ":=";
    } else if (kSymbols.find(Peek()) != std::string_view::npos) {
      token.text = std::string(1, Peek());
    } else {
      return {at_, absl::StrCat(Quote(Peek()), " means nothing in khan")};
    }
    for (std::size_t i = 0; i < token.text.size(); ++i) Advance();
    tokens_.push_back(std::move(token));
    return {};
  }

  std::string_view text_;
  std::vector<Token>& tokens_;
  std::size_t offset_ = 0;
  Position at_;
};

}  // namespace

Fault Split(std::string_view text, std::vector<Token>& tokens) { return Lexer(text, tokens).Run(); }

}  // namespace radix::khan
