#include "services/khan/evaluate.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/khan/fraction.h"
#include "services/khan/spread.h"

namespace radix::khan {
namespace {

using Bits = std::vector<bool>;  // for each node, in name order, whether it is in the set

class Evaluation {
 public:
  Evaluation(const Program& program, const Situation& situation)
      : program_(program), situation_(situation) {
    for (const auto& [name, labels] : situation.nodes) nodes_.push_back(&name);
  }

  std::map<std::string, Placement> Run() {
    for (std::size_t statement : program_.statements()) Set(statement);
    return std::move(placements_);
  }

 private:
  // The set that an expression stands for. Definitions and picks are computed once and kept. The
  // recursion is at most Program::kDepthMax deep.
  Bits Set(std::size_t index) {
    const Expression& expression = program_.expressions()[index];
    switch (expression.kind) {
      case Kind::kAll:
        return Bits(nodes_.size(), true);
      case Kind::kLabel:
        return Labelled(expression.text);
      case Kind::kName:
        return Kept(expression.operands[0]);
      case Kind::kPick:
        return Kept(index);
      case Kind::kNot: {
        Bits set = Set(expression.operands[0]);
        set.flip();
        return set;
      }
      default:
        return Combine(expression);
    }
  }

  Bits Kept(std::size_t index) {
    if (auto found = kept_.find(index); found != kept_.end()) return found->second;
    const bool is_pick = program_.expressions()[index].kind == Kind::kPick;
    Bits set = is_pick ? Pick(program_.expressions()[index]) : Set(index);
    kept_[index] = set;
    return set;
  }

  Bits Labelled(const std::string& label) const {
    Bits set;
    set.reserve(nodes_.size());
    for (const auto& [name, labels] : situation_.nodes) set.push_back(labels.count(label) != 0);
    return set;
  }

  Bits Combine(const Expression& expression) {
    Bits left = Set(expression.operands[0]);
    const Bits right = Set(expression.operands[1]);
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] = expression.kind == Kind::kAnd ? left[i] && right[i] : left[i] || right[i];
    }
    return left;
  }

  // Nullopt when there is no such number; problem_ then says why.
  std::optional<Fraction> Number(std::size_t index) {
    const Expression& expression = program_.expressions()[index];
    if (expression.kind == Kind::kNumber) return Fraction(expression.number);
    if (expression.kind == Kind::kSize) {
      const Bits set = Set(expression.operands[0]);
      return Fraction(std::count(set.begin(), set.end(), true));
    }
    const std::optional<Fraction> left = Number(expression.operands[0]);
    const std::optional<Fraction> right = left ? Number(expression.operands[1]) : std::nullopt;
    if (!right) return std::nullopt;
    if (expression.kind == Kind::kDivide && right->is_zero()) {
      problem_ = "the count divides by zero";
      return std::nullopt;
    }
    const std::optional<Fraction> result = Calculate(expression.kind, *left, *right);
    if (!result) problem_ = "the count is too large to compute";
    return result;
  }

  Bits Pick(const Expression& expression) {
    Placement placement;
    placement.at = expression.at;
    const std::optional<Fraction> count = Number(expression.operands[0]);
    const Bits set = Set(expression.operands[1]);
    if (!count) {
      placement.problem = std::exchange(problem_, "");
    } else {
      placement.want = std::max<std::int64_t>(0, count->Ceiling());
      if (placement.want > kInstancesMax) {
        placement.problem = absl::StrCat("more than ", kInstancesMax, " instances are asked for");
      } else if (placement.want > 0 && std::count(set.begin(), set.end(), true) == 0) {
        placement.problem = "no node is in the set";
      }
    }
    Bits chosen(nodes_.size(), false);
    if (placement.problem.empty()) chosen = Place(expression.text, set, placement);
    placements_[expression.text] = std::move(placement);
    return chosen;
  }

  Bits Place(const std::string& service, const Bits& set, Placement& placement) const {
    static const std::map<std::string, std::int64_t> kNone;
    const auto found = situation_.present.find(service);
    const auto& present = found == situation_.present.end() ? kNone : found->second;
    std::vector<Candidate> candidates;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!set[i]) continue;
      const auto here = present.find(*nodes_[i]);
      const std::int64_t count =
          here == present.end() ? 0 : std::max<std::int64_t>(0, here->second);
      candidates.push_back({nodes_[i], count});
      indices.push_back(i);
    }
    const std::vector<std::int64_t> shares = Spread(service, placement.want, candidates);
    Bits chosen(nodes_.size(), false);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (shares[i] == 0) continue;
      placement.nodes[*candidates[i].name] = shares[i];
      chosen[indices[i]] = true;
    }
    return chosen;
  }

  const Program& program_;
  const Situation& situation_;
  std::vector<const std::string*> nodes_;
  std::map<std::size_t, Bits> kept_;
  std::map<std::string, Placement> placements_;
  std::string problem_;
};

}  // namespace

std::map<std::string, Placement> Evaluate(const Program& program, const Situation& situation) {
  return Evaluation(program, situation).Run();
}

}  // namespace radix::khan
