// Exact fractions: khan's numbers.

#pragma once

#include <cstdint>
#include <numeric>
#include <optional>

#include "services/khan/program.h"

namespace radix::khan {

// A fraction in lowest terms. Every operation gives nullopt where the result does not fit or, for
// division, does not exist.
class Fraction {
 public:
  Fraction() = default;
  explicit Fraction(std::int64_t whole) : numerator_(whole) {}

  static std::optional<Fraction> Add(const Fraction& a, const Fraction& b) {
    std::int64_t left = 0;
    std::int64_t right = 0;
    std::int64_t sum = 0;
    std::int64_t bottom = 0;
    if (__builtin_mul_overflow(a.numerator_, b.denominator_, &left) ||
        __builtin_mul_overflow(b.numerator_, a.denominator_, &right) ||
        __builtin_add_overflow(left, right, &sum) ||
        __builtin_mul_overflow(a.denominator_, b.denominator_, &bottom)) {
      return std::nullopt;
    }
    return Reduced(sum, bottom);
  }

  static std::optional<Fraction> Subtract(const Fraction& a, const Fraction& b) {
    if (b.numerator_ == INT64_MIN) return std::nullopt;
    Fraction negated = b;
    negated.numerator_ = -negated.numerator_;
    return Add(a, negated);
  }

  static std::optional<Fraction> Multiply(const Fraction& a, const Fraction& b) {
    std::int64_t top = 0;
    std::int64_t bottom = 0;
    if (__builtin_mul_overflow(a.numerator_, b.numerator_, &top) ||
        __builtin_mul_overflow(a.denominator_, b.denominator_, &bottom)) {
      return std::nullopt;
    }
    return Reduced(top, bottom);
  }

  static std::optional<Fraction> Divide(const Fraction& a, const Fraction& b) {
    if (b.numerator_ == 0 || b.numerator_ == INT64_MIN) return std::nullopt;
    Fraction inverse;
    inverse.numerator_ = b.numerator_ < 0 ? -b.denominator_ : b.denominator_;
    inverse.denominator_ = b.numerator_ < 0 ? -b.numerator_ : b.numerator_;
    return Multiply(a, inverse);
  }

  friend bool operator<(const Fraction& a, const Fraction& b) {
    __extension__ using Wide = __int128;  // holds any product of two
    return Wide{a.numerator_} * b.denominator_ < Wide{b.numerator_} * a.denominator_;
  }

  bool is_zero() const { return numerator_ == 0; }

  // The least whole number that is not smaller.
  std::int64_t Ceiling() const {
    const std::int64_t whole = numerator_ / denominator_;
    return whole + (numerator_ > 0 && numerator_ % denominator_ != 0 ? 1 : 0);
  }

 private:
  static std::optional<Fraction> Reduced(std::int64_t top, std::int64_t bottom) {
    if (top == INT64_MIN) return std::nullopt;
    const std::int64_t divisor = std::gcd(top, bottom);
    Fraction result;
    result.numerator_ = top / divisor;
    result.denominator_ = bottom / divisor;
    return result;
  }

  std::int64_t numerator_ = 0;
  std::int64_t denominator_ = 1;  // always positive
};

// `kind` is one of kAdd, kSubtract, kMultiply and kDivide.
inline std::optional<Fraction> Calculate(Kind kind, const Fraction& a, const Fraction& b) {
  switch (kind) {
    case Kind::kAdd:
      return Fraction::Add(a, b);
    case Kind::kSubtract:
      return Fraction::Subtract(a, b);
    case Kind::kMultiply:
      return Fraction::Multiply(a, b);
    default:
      return Fraction::Divide(a, b);
  }
}

}  // namespace radix::khan
