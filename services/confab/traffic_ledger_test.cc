#include "services/confab/traffic_ledger.h"

#include <gtest/gtest.h>

namespace radix::confab {
namespace {

constexpr double kMiB = 1 << 20;

class TrafficLedgerTest : public testing::Test {
 protected:
  // Bytes that came, and what they were good for.
  Booking Come(std::uint64_t bytes) {
    now_.bytes_received += bytes;
    return Book();
  }
  Booking Book() {
    const Booking booking = ledger_.Book(now_);
    stray_ += booking.stray;
    EXPECT_EQ(stray_, ledger_.stray());
    return booking;
  }

  Traffic now_;
  TrafficLedger ledger_;
  double stray_ = 0;  // all together
};

TEST_F(TrafficLedgerTest, ACallThatIsAnsweredLeavesNothing) {
  now_.streams_begun = 1;
  EXPECT_EQ(Come(200).streams, 1);
  now_.streams_answered = 1;
  const Booking booking = Book();
  EXPECT_EQ(booking.streams, -1);
  EXPECT_EQ(booking.resets, 0);
  EXPECT_EQ(stray_, 0);
}

TEST_F(TrafficLedgerTest, WhatEndsOtherwiseIsAReset) {
  now_.streams_begun = 500;
  now_.streams_reset = 450;
  const Booking booking = Come(30000);
  EXPECT_EQ(booking.resets, 450);
  EXPECT_EQ(booking.streams, 50);
  EXPECT_EQ(ledger_.open(), 50);
  EXPECT_EQ(Book().resets, 0) << "each is booked once";
}

// As those of small messages do, all day long: 300 bytes each, with TLS and all.
TEST_F(TrafficLedgerTest, GoodCallsAreNeverStray) {
  for (int i = 0; i < 100000; ++i) {
    ++now_.streams_begun;
    ++now_.streams_answered;
    ++now_.messages;
    now_.message_bytes += 20;
    now_.bytes_sent += 100;
    Come(300);
  }
  EXPECT_EQ(stray_, 0);
}

// One stream, messages of 20 bytes: 22 of TLS around each, 9 of HTTP/2, 5 of gRPC.
TEST_F(TrafficLedgerTest, GoodStreamsAreNeverStray) {
  now_.streams_begun = 1;
  for (int i = 0; i < 100000; ++i) {
    ++now_.messages;
    now_.message_bytes += 20;
    Come(20 + 22 + 9 + 5);
  }
  EXPECT_EQ(stray_, 0);
}

TEST_F(TrafficLedgerTest, AMessageUnderWayIsStrayUntilItIsWhole) {
  now_.streams_begun = 1;
  Come(3 << 20);
  EXPECT_GT(stray_, 2 * kMiB);
  now_.messages = 1;
  now_.message_bytes = 4 << 20;
  Come(1 << 20);
  EXPECT_EQ(stray_, 0);
}

// Each of its frames is part of a header that never ends: one call, no message.
TEST_F(TrafficLedgerTest, AFloodIsStray) {
  now_.streams_begun = 1;
  for (int i = 0; i < 100; ++i) Come(1 << 20);
  EXPECT_GT(stray_, 99 * kMiB);
}

TEST_F(TrafficLedgerTest, AFloodBetweenMessagesIsStrayToo) {
  now_.streams_begun = 1;
  for (int i = 0; i < 100; ++i) {
    ++now_.messages;
    now_.message_bytes += 100;
    Come(1 << 20);
  }
  EXPECT_GT(stray_, 99 * kMiB);
}

TEST_F(TrafficLedgerTest, NobodySavesUpForAFlood) {
  for (int i = 0; i < 1000; ++i) {
    ++now_.streams_begun;
    ++now_.streams_answered;
    Come(100);
  }
  Come(10 << 20);
  EXPECT_GT(stray_, 9 * kMiB);
}

// Who reads much opens windows and acknowledges, and may say nothing else for hours.
TEST_F(TrafficLedgerTest, WhoIsSentMuchMaySayALittle) {
  now_.streams_begun = 1;
  for (int i = 0; i < 1000; ++i) {
    now_.bytes_sent += 1 << 20;
    Come(32 << 10);
  }
  EXPECT_EQ(stray_, 0);
}

}  // namespace
}  // namespace radix::confab
