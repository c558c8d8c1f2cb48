// What one connection used up that no good peer would, by its counters.
//
// A core: its caller reads the counters.

#pragma once

#include <cstdint>

namespace radix::confab {

// What has happened on a connection since it began.
struct Traffic {
  std::uint64_t bytes_received = 0;  // by the kernel, TLS and all
  std::uint64_t bytes_sent = 0;
  std::uint64_t streams_begun = 0;  // HTTP/2 streams that the peer opened: each is a call
  std::uint64_t streams_answered = 0;
  std::uint64_t streams_reset = 0;  // ended otherwise
  std::uint64_t messages = 0;       // received, whole
  std::uint64_t message_bytes = 0;  // of those
};

// What is to be booked on a peer (peer_budget.h), with its sign.
struct Booking {
  double resets = 0;
  double streams = 0;
  double stray = 0;
};

// Compares what came with what it was good for. gRPC 1.51 takes frames without end that are no part
// of a call (and keeps those that continue a header): they show only as bytes that came for
// nothing. Not thread-safe.
class TrafficLedger {
 public:
  // What changed since the last time. Requires: no counter went back, and bytes were read last
  // (what came between would be lost to who sent it).
  Booking Book(const Traffic& now);

  // What was booked and not taken back.
  double open() const { return open_; }
  double stray() const;

 private:
  // TLS and HTTP/2 say hello, and ping now and then.
  static constexpr double kSlack = 256 << 10;

  Traffic last_;
  double open_ = 0;
  double stray_ = -kSlack;
};

}  // namespace radix::confab
