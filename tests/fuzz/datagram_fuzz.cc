// Every byte that arrives before authentication: datagrams of people who have no key.
//
// The input is a row of datagrams, each behind four bytes: what to do with time and address, the
// slot that it claims to come from, and its length.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "services/flock/handshake.h"
#include "services/flock/introduction_codec.h"
#include "services/flock/key_ring.h"
#include "services/flock/packet_codec.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/victim.h"

namespace radix::fuzz {
namespace {

constexpr int kDatagramsMax = 32;

// A stranger's datagram changes nothing but a counter, and is answered by nothing.
void SendAsStranger(Victim& victim, const Endpoint& from, std::span<const std::uint8_t> bytes) {
  flock::Flock& core = victim.core();
  const flock::Counters before = core.counters();
  const std::uint64_t events = victim.events();
  const std::uint64_t view = core.view_hash();
  const std::size_t memory = core.member_memory_bytes();
  const Instant next = core.NextTimeout();
  const auto sent = victim.ReceiveFrom(from, bytes);
  const flock::Counters& after = core.counters();
  Require(sent.empty(), "a stranger gets no answer");
  Require(victim.events() == events, "a stranger causes no event");
  Require(core.view_hash() == view && core.live_count() == 1, "a stranger changes no view");
  Require(core.member_memory_bytes() == memory, "a stranger costs no memory");
  Require(core.NextTimeout() == next, "a stranger wakes nobody");
  Require(after.accepted == before.accepted, "a stranger's datagram is not accepted");
  Require(after.received == before.received + 1 &&
              after.dropped_malformed + after.dropped_unauthenticated ==
                  before.dropped_malformed + before.dropped_unauthenticated + 1,
          "a stranger's datagram is counted");
}

bool IsWithin(std::span<const std::uint8_t> part, std::span<const std::uint8_t> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void DecodeMessages(std::span<const std::uint8_t> bytes, bool pair) {
  const auto body = flock::DecodeBody(bytes, pair);
  if (!body) return;
  Require(pair || (!body->ask && !body->grant && !body->refusal && !body->give_back),
          "leases are only between two");
  for (const auto part : {body->records, body->news, body->ring, body->electorate,
                          body->introduction.value_or(bytes.first(0))}) {
    Require(IsWithin(part, bytes), "what was decoded is part of the datagram");
  }
  flock::Reader records(body->records);
  while (records.left() > 0) {
    const flock::Record record = DecodeRecord(records);
    Require(records.ok() && record.id.boot != 0 && record.state <= flock::MemberState::kLeft,
            "records are valid");
  }
  flock::Reader news(body->news);
  while (news.left() > 0) {
    const std::size_t left = news.left();
    const auto item = flock::DecodeNewsItem(news);
    Require(item && SizeOf(*item) == left - news.left(), "news is as long as it says");
    Require(item->check != 0 || item->record.id.boot != 0, "news is of somebody");
  }
}

// The decoders, without the keys that guard them: they must stand any byte as well.
void Decode(std::span<const std::uint8_t> bytes) {
  DecodeMessages(bytes, true);
  DecodeMessages(bytes, false);
  static_cast<void>(flock::KeyRing::IsValid(bytes));
  if (const auto welcome = flock::DecodeWelcome({1, 1}, bytes)) {
    std::array<std::uint8_t, flock::kDatagramSizeMax> again;
    flock::Writer out(again);
    EncodeWelcome(*welcome, out);
    Require(!out.ok() || flock::DecodeWelcome({1, 1}, out.written()).has_value(),
            "a WELCOME that was decoded can be encoded");
  }
  const auto introduction = flock::DecodeIntroduction(bytes);
  if (introduction.ok()) {
    Require(flock::EncodeIntroduction(*introduction).ok(),
            "an introduction that was decoded can be encoded");
  }
}

struct Step {
  std::uint8_t control = 0;
  std::uint8_t from = 0;
  std::span<const std::uint8_t> datagram;
};

std::vector<Step> StepsOf(std::span<const std::uint8_t> input) {
  std::vector<Step> steps;
  flock::Reader in(input);
  for (int i = 0; i < kDatagramsMax && in.left() > 0; ++i) {
    Step step{in.U8(), in.U8(), {}};
    const std::size_t length = in.U16();
    step.datagram = in.Bytes(std::min(length, in.left()));
    steps.push_back(step);
  }
  return steps;
}

void Run(std::span<const std::uint8_t> input) {
  Victim victim(flock::Key{0x5e, 0xc2});
  for (const Step& step : StepsOf(input)) {
    const std::uint32_t slot = step.from % victim.charter().ranges.size();
    Endpoint from{victim.charter().ranges.At(slot), victim.charter().port};
    if ((step.control & 1) != 0) from.port = static_cast<std::uint16_t>(from.port + 1);
    if ((step.control & 2) != 0) from.ip.bytes[12] ^= 0x80;  // an address that is no member's
    SendAsStranger(victim, from, step.datagram);
    Decode(step.datagram);
    if ((step.control & 4) != 0) victim.Wait((step.control >> 3) * Duration(50ms));
  }
  // Nor later, when it looks at what it counted.
  for (int i = 0; i < 8; ++i) victim.Wait(5s);
  Require(victim.alarms() == 0, "a stranger causes no alarm");
}

}  // namespace

// Of each type a datagram whose header decodes: the rest of it is reached through that alone.
std::string MissingFrom(const std::vector<std::vector<std::uint8_t>>& inputs) {
  std::set<flock::PacketType> seen;
  for (const auto& input : inputs) {
    for (const Step& step : StepsOf(input)) {
      if (const auto header = flock::DecodeHeader(step.datagram)) seen.insert(header->type);
    }
  }
  using Type = flock::PacketType;
  for (const Type type :
       {Type::kHello, Type::kRetry, Type::kTokenHello, Type::kWelcome, Type::kGroup, Type::kPair}) {
    if (!seen.contains(type)) {
      return "no datagram of type " + std::to_string(static_cast<int>(type)) +
             " whose header decodes";
    }
  }
  return "";
}

}  // namespace radix::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  radix::fuzz::Run(std::span(data, size));
  return 0;
}
