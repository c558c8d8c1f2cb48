// What is missing until a lab, or a node of it, is ready.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace radix::cli {

struct Readiness {
  // What is missing, for people; empty when nothing is.
  std::vector<std::string> missing;
  std::string leader;
  std::int64_t epoch = 0;
};

// Collects what is missing; says when to stop.
class Findings {
 public:
  explicit Findings(bool all) : all_(all) {}

  void Add(std::string what) { readiness.missing.push_back(std::move(what)); }
  void Add(const absl::Status& status) { Add(std::string(status.message())); }
  bool enough() const { return !all_ && !readiness.missing.empty(); }

  Readiness readiness;

 private:
  const bool all_;
};

}  // namespace radix::cli
