#include "services/confab/traffic_ledger.h"

#include <algorithm>

namespace radix::confab {
namespace {

// What bytes are good for. With what TLS and HTTP/2 put around it, a call has a header of at most 8
// KiB (serve.cc), and a message its size.
constexpr double kOfStream = 16 << 10;
constexpr double kOfMessage = 128;
// Of what is sent: acknowledgements, and windows that are opened again.
constexpr double kOfSentByte = 0.125;

double Difference(std::uint64_t now, std::uint64_t before) {
  return static_cast<double>(now - before);
}

}  // namespace

Booking TrafficLedger::Book(const Traffic& now) {
  Booking booking;
  booking.resets = Difference(now.streams_reset, last_.streams_reset);
  const double ended = static_cast<double>(now.streams_answered + now.streams_reset);
  const double open = std::max(0.0, static_cast<double>(now.streams_begun) - ended);
  booking.streams = open - open_;
  open_ = open;
  const double explained = kOfStream * Difference(now.streams_begun, last_.streams_begun) +
                           kOfMessage * Difference(now.messages, last_.messages) +
                           Difference(now.message_bytes, last_.message_bytes) +
                           kOfSentByte * Difference(now.bytes_sent, last_.bytes_sent);
  const double came = Difference(now.bytes_received, last_.bytes_received);
  // Nobody saves up for later.
  booking.stray = -stray();
  stray_ = std::max(-kSlack, stray_ + came - explained);
  booking.stray += stray();
  last_ = now;
  return booking;
}

double TrafficLedger::stray() const { return std::max(0.0, stray_); }

}  // namespace radix::confab
