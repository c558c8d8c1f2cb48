#include "clients/cli/retry.h"

#include <gtest/gtest.h>

#include <deque>

#include "absl/status/statusor.h"

namespace radix::cli {
namespace {

// Answers with one after the other, then with the last again and again.
class Attempts {
 public:
  explicit Attempts(std::deque<absl::Status> results) : results_(std::move(results)) {}

  absl::StatusOr<int> operator()(Duration /*remaining*/) {
    const absl::Status next = results_.front();
    if (results_.size() > 1) results_.pop_front();
    if (next.ok()) return 1;
    return next;
  }

 private:
  std::deque<absl::Status> results_;
};

const absl::Status kWhy = absl::UnavailableError("nobody leads");
const absl::Status kSilence = absl::DeadlineExceededError("no answer");
const absl::Status kNever = absl::InvalidArgumentError("no such thing");

TEST(RetryTest, GoesOnUntilItSucceedsOrNeverWill) {
  EXPECT_TRUE(Retry(60s, Attempts({kWhy, kSilence, absl::OkStatus()})).ok());
  EXPECT_EQ(Retry(60s, Attempts({kSilence, kWhy, kNever, absl::OkStatus()})).status(), kNever);
}

TEST(RetryTest, WhatWasAnsweredCountsMoreThanTheSilenceAfterIt) {
  EXPECT_EQ(Retry(300ms, Attempts({kWhy, kSilence})).status(), kWhy);
  EXPECT_EQ(Retry(300ms, Attempts({kSilence})).status(), kSilence);
}

}  // namespace
}  // namespace radix::cli
