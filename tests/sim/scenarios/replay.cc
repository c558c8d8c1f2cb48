#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/flock/packet_codec.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr std::size_t kRecordedMax = 50000;
constexpr std::uint64_t kReplays = 200000;

struct Recorded {
  std::uint32_t from_slot = 0;
  std::size_t to = 0;
  std::vector<std::uint8_t> bytes;
};

// Everything about a node that a datagram could change.
struct State {
  std::uint64_t view = 0;
  std::uint64_t accepted = 0;
  flock::Promise promise;
  std::uint32_t transient = 0;
  std::uint32_t secondary = 0;
  std::uint32_t contacts = 0;

  bool operator==(const State&) const = default;
};

State StateOf(Cluster& cluster, std::size_t node) {
  const flock::Flock& flock = cluster.flock(node);
  return {flock.view_hash(),        flock.counters().accepted,
          flock.promise(),          flock.transient_key_id(),
          flock.secondary_key_id(), flock.contact_count(cluster.LocalNow(node))};
}

void Alter(std::vector<std::uint8_t>& bytes, Random& random) {
  if (random.Chance(0.2)) bytes.resize(1 + random.Below(bytes.size()));
  for (std::uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
    bytes[random.Below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random.Below(255));
  }
}

void Inject(Course& course, const Recorded& recorded) {
  Cluster& cluster = course.cluster();
  Random& random = course.random();
  std::vector<std::uint8_t> bytes = recorded.bytes;
  const bool altered = random.Chance(0.3);
  if (altered) Alter(bytes, random);
  const std::size_t to = random.Chance(0.3) ? course.AnyNode() : recorded.to;
  if (!cluster.up(to)) return;
  const State before = StateOf(cluster, to);
  const std::uint64_t sent = cluster.flock(to).counters().sent_bytes;
  cluster.Inject(recorded.from_slot, to, bytes);
  if (!(StateOf(cluster, to) == before)) {
    course.Violate("a datagram that was " + std::string(altered ? "altered" : "replayed") +
                   " changed node " + std::to_string(to));
  }
  // What anybody can send who ever listened must not be answered with more than it is.
  const auto header = flock::DecodeHeader(bytes);
  if (header && header->type == flock::PacketType::kHello &&
      cluster.flock(to).counters().sent_bytes - sent > bytes.size()) {
    course.Violate("node " + std::to_string(to) + " answered a HELLO with more than it is");
  }
}

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  std::vector<Recorded> recorded;
  std::uint64_t seen = 0;
  Random choice(course.options().seed);
  cluster.on_deliver = [&](std::uint32_t from_slot, std::size_t to,
                           std::span<const std::uint8_t> bytes) {
    Recorded one{from_slot, to, {bytes.begin(), bytes.end()}};
    if (++seen <= kRecordedMax) {
      recorded.push_back(std::move(one));
    } else if (const std::uint64_t place = choice.Below(seen); place < kRecordedMax) {
      recorded[place] = std::move(one);
    }
  };
  if (!course.ColdStart()) return;
  // A new leader, boots that follow on boots, and other keys than at first.
  if (const auto leader = cluster.Leader()) {
    cluster.Crash(*leader);
    cluster.RunFor(8s);
    cluster.Boot(*leader);
  }
  cluster.RunFor(50s);
  cluster.on_deliver = nullptr;
  const std::uint64_t count = course.options().count > 0 ? course.options().count : kReplays;
  for (std::uint64_t i = 0; i < count; ++i) {
    Inject(course, recorded[choice.Below(recorded.size())]);
    // Time goes on, and with it keys and tokens.
    if (i % (count / 20 + 1) == 0) cluster.RunFor(2s);
  }
  course.AwaitConvergence();
}

}  // namespace

const Scenario kReplay = {
    "replay",
    "what was delivered once is sent again, --count times (200,000), to the same and to others, "
    "some of it altered",
    nullptr, Run};

}  // namespace radix::sim
