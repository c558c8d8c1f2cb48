// What leader and members tell each other about the secondary key. Travels under pair keys only.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "services/flock/config.h"
#include "services/flock/key_order.h"

namespace radix::flock {

class Reader;
class Writer;

// The slots as their sender has them: from the leader an order, from a member the answer to one
// that knew less.
struct SecondaryTell {
  std::uint64_t epoch = 0;             // of the leader
  std::uint32_t revision = 0;          // of two tells of one epoch, the greater is the later
  bool settled = false;                // the leader knows that a quorum has nothing later
  std::span<const std::uint8_t> keys;  // 32 bytes each, the current one first

  std::vector<Key> Keys() const;
};
void Encode(const SecondaryTell& tell, Writer& out);
// nullopt if it is malformed.
std::optional<SecondaryTell> DecodeSecondaryTell(Reader& in);

// An order on its way to the leader, and its answer.
struct KeyOrderTell {
  std::uint64_t id = 0;
  KeyOrder order;
};
void Encode(const KeyOrderTell& tell, Writer& out);
std::optional<KeyOrderTell> DecodeKeyOrderTell(Reader& in);

struct KeyReportTell {
  std::uint64_t id = 0;
  KeyReport report;                       // without leader and missing, when decoded
  std::span<const std::uint8_t> missing;  // slots, 4 bytes each
};
// Writes `missing` from the report.
void Encode(const KeyReportTell& tell, Writer& out);
std::optional<KeyReportTell> DecodeKeyReportTell(Reader& in);
// The whole report, which `leader` sent.
KeyReport ToReport(const KeyReportTell& tell, const MemberId& leader);

}  // namespace radix::flock
