// Who ranks before whom: the order of candidates for leadership.

#pragma once

#include <cstdint>
#include <vector>

#include "services/flock/member.h"

namespace radix::flock {

// Ranks members by a hash keyed with the charter: nobody's number or name is better by itself, and
// everybody computes the same. The least ranks first.
class Ranking {
 public:
  explicit Ranking(std::uint64_t key) : key_(key) {}

  std::uint64_t Of(const MemberId& id) const {
    return Mix(Mix(id.boot ^ key_) + id.slot * 0x9e3779b97f4a7c15ULL);
  }
  // Whether `a` ranks before `b`. A total order.
  bool Before(const MemberId& a, const MemberId& b) const {
    const std::uint64_t left = Of(a);
    const std::uint64_t right = Of(b);
    return left != right ? left < right : a < b;
  }

 private:
  static std::uint64_t Mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t key_;
};

}  // namespace radix::flock
