// Trials of the rotation of keys.

#include <cstddef>
#include <string>

#include "tests/sim/key_operator.h"
#include "tests/sim/trials/stage.h"
#include "tests/sim/trials/trials.h"

namespace radix::sim {
// Where nothing is lost, everybody has the next key before anybody uses it, so that nobody has to
// knock at a door: of ten thousand, all would.
std::string ARotation(std::uint64_t seed) {
  ClusterOptions options = Nodes(6, seed);
  options.density = 1;  // nobody is missing, so there are no blind probes
  options.tunables.key_period = 5s;
  Cluster cluster(options);
  Lead(cluster);
  int hellos = 0;
  cluster.lets_pass = [&](std::size_t, std::size_t, Bytes datagram) {
    const auto header = flock::DecodeHeader(datagram);
    if (header && header->type <= flock::PacketType::kTokenHello) ++hellos;
    return true;
  };
  const std::uint32_t key = cluster.flock(0).transient_key_id();
  cluster.RunFor(15s);
  if (cluster.flock(0).transient_key_id() == key) return "no rotation";
  return hellos == 0 ? "" : kLackedTheKey;
}

// A key file cannot be written: its owner, which would come back with a key too old, holds up the
// rotation.
std::string AFullDisk(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  KeyOperator person(cluster);
  const std::uint32_t from = person.CurrentKey();
  cluster.SetKeyFileFull((leader + 1) % 5, true);
  person.Ask(leader, {KeyStep::kInstall, from, false, 0});
  cluster.RunFor(2s);
  person.Ask(leader, {KeyStep::kUse, from, false, 0});
  return person.CurrentKey() == from ? "" : kNotOnDisk;
}

// Who was cut off from a rotation leads, before anybody told it of that.
std::string ALeaderThatMissedARotation(std::uint64_t seed) {
  Cluster cluster(Nodes(5, seed));
  const std::size_t leader = Lead(cluster);
  KeyOperator person(cluster);
  const std::uint32_t from = person.CurrentKey();
  for (std::size_t other = 0; other < 5; ++other) {
    if (other != (leader + 1) % 5) CutBoth(cluster, other, (leader + 1) % 5);
  }
  for (const KeyStep step : {KeyStep::kInstall, KeyStep::kUse, KeyStep::kRemove}) {
    cluster.RunFor(100ms);
    person.Ask(leader, {step, from, true, 0});
  }
  const std::uint32_t rotated = person.CurrentKey();
  if (rotated == from) return "no rotation";
  cluster.RunFor(100ms);
  cluster.Crash((leader + 2) % 5);
  cluster.Crash(leader);
  cluster.network().Heal();
  if (!cluster.RunUntilTrue([&] { return cluster.OneLeader(); }, kLimit)) return kNoLeader;
  cluster.RunFor(2s);
  return person.CurrentKey() == rotated ? "" : kUndone;
}

}  // namespace radix::sim
