#include "services/khan/counts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/khan/evaluate.h"
#include "services/khan/fault.h"
#include "services/khan/fraction.h"

namespace radix::khan {
namespace {

// All values that a number can have, both ends included.
struct Range {
  Fraction least;
  Fraction most;

  bool is_single() const { return !(least < most); }
  bool has_zero() const { return !(Fraction(0) < least) && !(most < Fraction(0)); }
};

class CountCheck {
 public:
  CountCheck(const Program& program, const Capacity& capacity)
      : program_(program), capacity_(capacity) {}

  Fault Run() {
    for (const Expression& expression : program_.expressions()) {
      if (expression.kind == Kind::kPick) Pick(expression);
      if (!fault_.message.empty()) break;
    }
    return fault_;
  }

 private:
  void Pick(const Expression& pick) {
    const std::optional<Range> count = Of(pick.operands[0]);
    if (!count || !fault_.message.empty()) return;
    const std::int64_t fit =
        std::min(kInstancesMax, capacity_.nodes * capacity_.instances_per_node);
    if (count->most < Fraction(0)) {
      Fail(pick.at,
           absl::StrCat("the count of '", pick.text, "' is below zero; 0 stands for none"));
    } else if (const std::int64_t least = count->least.Ceiling(); least > fit) {
      Fail(pick.at,
           absl::StrCat("the count of '", pick.text, "' is ", count->is_single() ? "" : "at least ",
                        least, "; at most ", fit, " fit: ", capacity_.instances_per_node,
                        " on each of ", capacity_.nodes, " nodes"));
    }
  }

  // Nullopt when nothing is known of it. The recursion is as deep as the parser let it be.
  std::optional<Range> Of(std::size_t index) {
    const Expression& expression = program_.expressions()[index];
    if (expression.kind == Kind::kNumber) {
      return Range{Fraction(expression.number), Fraction(expression.number)};
    }
    if (expression.kind == Kind::kSize) {
      const bool all = program_.expressions()[expression.operands[0]].kind == Kind::kAll;
      return Range{Fraction(all ? 1 : 0), Fraction(capacity_.nodes)};
    }
    const std::optional<Range> left = Of(expression.operands[0]);
    const std::optional<Range> right = Of(expression.operands[1]);
    if (!left || !right) return std::nullopt;
    if (expression.kind == Kind::kDivide && right->has_zero()) {
      if (right->is_single()) Fail(expression.at, "the count divides by zero");
      return std::nullopt;
    }
    return Combine(expression, *left, *right);
  }

  // Each of the four is monotone in either operand, so the ends lie at the operands' ends.
  std::optional<Range> Combine(const Expression& expression, const Range& left,
                               const Range& right) {
    const std::array<std::optional<Fraction>, 4> corners = {
        Calculate(expression.kind, left.least, right.least),
        Calculate(expression.kind, left.least, right.most),
        Calculate(expression.kind, left.most, right.least),
        Calculate(expression.kind, left.most, right.most)};
    for (const std::optional<Fraction>& corner : corners) {
      if (corner) continue;
      if (left.is_single() && right.is_single()) {
        Fail(expression.at, "the count's numbers are too large to compute");
      }
      return std::nullopt;
    }
    Range range{*corners[0], *corners[0]};
    for (const std::optional<Fraction>& corner : corners) {
      range.least = std::min(range.least, *corner);
      range.most = std::max(range.most, *corner);
    }
    return range;
  }

  void Fail(Position at, std::string message) {
    if (fault_.message.empty()) fault_ = {at, std::move(message)};
  }

  const Program& program_;
  const Capacity& capacity_;
  Fault fault_;
};

}  // namespace

absl::Status CheckCounts(const Program& program, const Capacity& capacity, const Source& source) {
  const Fault fault = CountCheck(program, capacity).Run();
  return fault.message.empty() ? absl::OkStatus() : ToStatus(fault, source);
}

}  // namespace radix::khan
