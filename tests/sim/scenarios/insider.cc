#include "tests/sim/insider.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/scenarios/scenarios.h"

namespace radix::sim {
namespace {

// So many lies a second, each told to everybody.
constexpr Duration kBetweenLies = 25ms;
constexpr std::size_t kInsiders = 2;
constexpr std::uint64_t kLiesLeast = 300;

// What may be held for each slot: members, contacts, suspicions, and statements on their way.
constexpr std::size_t kBytesPerSlotMax = 400;
constexpr std::size_t kBytesMax = 128 * 1024;

bool IsWell(Cluster& cluster, const flock::MemberId& id) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.slot(i) == id.slot) return cluster.up(i) && cluster.flock(i).self() == id;
  }
  return false;
}

// Nobody who is well may be off anybody's list, however that came about.
void WatchLists(Course& course) {
  Cluster& cluster = course.cluster();
  cluster.on_event = [&](std::size_t observer, const flock::Event& event) {
    flock::MemberId gone = event.subject;
    if (event.kind == flock::EventKind::kJoined &&
        event.evidence == flock::Evidence::kReplacedByBoot) {
      gone.boot = event.value;
    } else if (event.kind != flock::EventKind::kLeft) {
      return;
    }
    if (!IsWell(cluster, gone)) return;
    course.Violate("node " + std::to_string(observer) + " takes slot " + std::to_string(gone.slot) +
                   ", which is well, for " +
                   (event.kind == flock::EventKind::kLeft ? "left" : "booted again"));
  };
}

void CheckMemory(Course& course) {
  Cluster& cluster = course.cluster();
  const std::size_t most = kBytesMax + kBytesPerSlotMax * cluster.charter().ranges.size();
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.flock(i).member_memory_bytes() <= most) continue;
    course.Violate("node " + std::to_string(i) + " holds " +
                   std::to_string(cluster.flock(i).member_memory_bytes()) + " bytes");
  }
}

void Run(Course& course) {
  course.ForbidWrongRemovals();
  Cluster& cluster = course.cluster();
  if (!course.ColdStart()) return;
  WatchLists(course);
  cluster.invariants().set_lists_may_lie(true);
  std::vector<std::unique_ptr<Insider>> insiders;
  const auto leader = cluster.Leader();
  if (!leader) return course.Violate("there is no leader any more, before anybody lied");
  const auto epoch = cluster.flock(*leader).own_leadership(cluster.LocalNow(*leader))->epoch;
  for (const std::size_t node : course.SomeNodes(cluster.size())) {
    if (node == leader || insiders.size() == kInsiders) continue;
    cluster.SetSick(node, true);
    insiders.push_back(std::make_unique<Insider>(cluster, node));
    insiders.back()->set_patient(true);
  }
  cluster.lets_pass = [&](std::size_t from, std::size_t to, std::span<const std::uint8_t> bytes) {
    for (const auto& insider : insiders) {
      if (insider->node() == from) insider->NoteSent(to, bytes);
    }
    return true;
  };
  cluster.on_deliver = [&](std::uint32_t, std::size_t to, std::span<const std::uint8_t> bytes,
                           bool) {
    for (const auto& insider : insiders) {
      if (insider->node() == to) insider->NoteReceived(bytes);
    }
  };
  const Instant end = cluster.now() + course.Length(30s);
  for (int i = 0; cluster.now() < end; ++i) {
    for (const auto& insider : insiders) {
      if (i % 40 == 0) insider->AskForKeys();
      insider->Lie();
    }
    cluster.RunFor(kBetweenLies);
    if (i % 40 == 0) CheckMemory(course);
  }
  for (const auto& insider : insiders) {
    if (insider->lies() < kLiesLeast) course.Violate("an insider did not get in");
  }
  cluster.lets_pass = nullptr;
  cluster.on_deliver = nullptr;
  const auto still = cluster.flock(*leader).own_leadership(cluster.LocalNow(*leader));
  if (!still || still->epoch != epoch) course.Violate("lies moved the leadership");
  course.AwaitConvergence();
}

}  // namespace

const Scenario kInsider = {
    .name = "insider",
    .what =
        "two members lie in every way, forty times a second, for --length "
        "(30 s); nobody may suffer",
    .run = Run,
    .nodes_least = 4,
    .uses_length = true,
};

}  // namespace radix::sim
