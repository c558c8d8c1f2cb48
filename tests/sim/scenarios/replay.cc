#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/packet_codec.h"
#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

constexpr std::size_t kRecordedMax = 50000;
constexpr std::uint64_t kReplays = 200000;
// So many are made of one capture; then a new one is taken, under the keys of that time.
constexpr std::uint64_t kReplaysPerCapture = 200000;

// And so many nodes boot after it, each of which is sent so much of it at once.
constexpr int kBootsPerCapture = 4;
constexpr std::uint64_t kReplaysPerBoot = 2500;

struct Recorded {
  std::uint32_t from_slot = 0;
  std::size_t to = 0;
  std::uint64_t boot = 0;  // of `to`
  bool accepted = false;   // by that boot
  std::vector<std::uint8_t> bytes;
};

// Everything about a node that a datagram could change.
struct State {
  std::uint64_t digest = 0;
  std::uint64_t view = 0;
  std::uint64_t accepted = 0;
  std::uint32_t transient = 0;
  std::uint32_t secondary = 0;
  std::uint32_t contacts = 0;

  bool operator==(const State&) const = default;
};

State StateOf(Cluster& cluster, std::size_t node) {
  const flock::Flock& flock = cluster.flock(node);
  const Instant now = cluster.LocalNow(node);
  return {flock.StateDigest(now),   flock.view_hash(),        flock.counters().accepted,
          flock.transient_key_id(), flock.secondary_key_id(), flock.contact_count(now)};
}

// Takes what is delivered from now on, from each datagram the same chance to be among those kept.
void Record(Cluster& cluster, Random& choice, std::vector<Recorded>& recorded) {
  recorded.clear();
  cluster.on_deliver = [&cluster, &choice, &recorded, seen = std::uint64_t{0}](
                           std::uint32_t from_slot, std::size_t to,
                           std::span<const std::uint8_t> bytes, bool accepted) mutable {
    const bool full = ++seen > kRecordedMax;
    const std::uint64_t place = full ? choice.Below(seen) : recorded.size();
    if (place >= kRecordedMax) return;
    if (!full) recorded.emplace_back();
    recorded[place] = {
        from_slot, to, cluster.flock(to).self().boot, accepted, {bytes.begin(), bytes.end()}};
  };
}

void Alter(std::vector<std::uint8_t>& bytes, Random& random) {
  if (random.Chance(0.2)) bytes.resize(1 + random.Below(bytes.size()));
  for (std::uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
    bytes[random.Below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random.Below(255));
  }
}

void Inject(Course& course, Recorded& recorded, std::size_t to) {
  Cluster& cluster = course.cluster();
  Random& random = course.random();
  std::vector<std::uint8_t> bytes = recorded.bytes;
  if (random.Chance(0.3)) Alter(bytes, random);
  const bool altered = bytes != recorded.bytes;
  if (!cluster.up(to)) return;
  const State before = StateOf(cluster, to);
  const std::uint64_t sent = cluster.flock(to).counters().sent_bytes;
  const bool accepted = cluster.Inject(recorded.from_slot, to, bytes);
  ScenarioResult& result = course.result();
  // Not everything that came was taken: who lacked the key then may have it now, and to it this is
  // a datagram that the network held back, which it takes for the first time. Once.
  const bool first = accepted && !altered && !recorded.accepted && to == recorded.to &&
                     cluster.flock(to).self().boot == recorded.boot;
  if (first) {
    recorded.accepted = true;
    ++result.replays_late;
    return;
  }
  ++result.replays;
  if (!(StateOf(cluster, to) == before)) {
    ++result.replays_that_changed;
    course.Violate("a datagram that was " + std::string(altered ? "altered" : "replayed") +
                   " changed node " + std::to_string(to));
  }
  // What anybody can send who ever listened must not be answered with more than it is.
  const auto header = flock::DecodeHeader(bytes);
  if (header &&
      (header->type == flock::PacketType::kHello ||
       header->type == flock::PacketType::kTokenHello) &&
      cluster.flock(to).counters().sent_bytes - sent > bytes.size()) {
    course.Violate("node " + std::to_string(to) + " answered a HELLO with more than it is");
  }
}

// To one that has just booted, and remembers nothing of what it heard before. Mostly what was meant
// for its address. Returns how many.
std::uint64_t InjectAtABoot(Course& course, std::vector<Recorded>& recorded, Random& choice,
                            std::uint64_t most) {
  Cluster& cluster = course.cluster();
  const std::size_t node = course.AnyNode();
  if (cluster.up(node)) cluster.Crash(node);
  cluster.Boot(node);
  std::uint64_t done = 0;
  for (std::uint64_t draws = 0; draws < 20 * most && done < most; ++draws) {
    Recorded& one = recorded[choice.Below(recorded.size())];
    if (one.to != node && !choice.Chance(0.05)) continue;
    Inject(course, one, node);
    ++done;
  }
  return done;
}

void Run(Course& course) {
  Cluster& cluster = course.cluster();
  Random choice(course.options().seed);
  std::vector<Recorded> recorded;
  Record(cluster, choice, recorded);
  if (!course.ColdStart()) return;
  std::uint64_t left = course.options().count > 0 ? course.options().count : kReplays;
  while (left > 0) {
    // A new leader, boots that follow on boots, and other keys than at first.
    if (const auto leader = cluster.Leader()) {
      cluster.Crash(*leader);
      cluster.RunFor(8s);
      cluster.Boot(*leader);
    }
    cluster.RunFor(50s);
    cluster.on_deliver = nullptr;
    if (recorded.empty()) return course.Violate("nothing was delivered that could be replayed");
    const std::uint64_t count = std::min(left, kReplaysPerCapture);
    for (std::uint64_t i = 0; i < count; ++i) {
      Recorded& one = recorded[choice.Below(recorded.size())];
      Inject(course, one, course.random().Chance(0.3) ? course.AnyNode() : one.to);
      // Time goes on, and with it keys and tokens.
      if (i % (count / 20 + 1) == 0) cluster.RunFor(2s);
    }
    left -= count;
    for (int boots = 0; boots < kBootsPerCapture && left > 0; ++boots) {
      left -= std::min(left, InjectAtABoot(course, recorded, choice, kReplaysPerBoot));
      cluster.RunFor(2s);
    }
    Record(cluster, choice, recorded);
  }
  cluster.on_deliver = nullptr;
  course.AwaitConvergence();
}

}  // namespace

const Scenario kReplay = {
    .name = "replay",
    .what =
        "what was delivered once is sent again, --count times (200,000), to the same and to "
        "others, "
        "some of it altered",
    .run = Run,
    .nodes_least = 2,
    .uses_count = true,
};

}  // namespace radix::sim
