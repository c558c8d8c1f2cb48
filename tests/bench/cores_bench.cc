// What the cores cost: one packet, one lookup, one placement. Run by `make bench`.

#include <benchmark/benchmark.h>
#include <sodium.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "services/flock/packet_protection.h"
#include "services/khan/evaluate.h"
#include "services/khan/program.h"
#include "services/registry/instance_table.h"
#include "services/registry/selection.h"

namespace radix {
namespace {

// One datagram of a thousand bytes, sealed once.
struct Datagram {
  static constexpr std::size_t kBodySize = 1000;

  Datagram() {
    if (sodium_init() < 0) std::abort();
    flock::Writer head(bytes);
    flock::Encode(header, head);
    size = protection.Seal(key, header, to, bytes, kBodySize);
  }

  flock::Key key{1, 2, 3};
  flock::Header header{flock::PacketType::kGroup, 9, {5, 55}, 1};
  flock::Destination to{{6, 66}, *IpAddress::Parse("10.0.0.6")};
  flock::PacketProtection protection{"bench"};
  std::array<std::uint8_t, flock::kDatagramSizeMax> bytes{};
  std::size_t size = 0;
};

void SealDatagram(benchmark::State& state) {
  Datagram datagram;
  for (auto _ : state) {
    benchmark::DoNotOptimize(datagram.protection.Seal(datagram.key, datagram.header, datagram.to,
                                                      datagram.bytes, Datagram::kBodySize));
  }
}
BENCHMARK(SealDatagram);

// `forged`: with another key, as noise from outside would be.
void OpenDatagram(benchmark::State& state, bool forged) {
  const Datagram datagram;
  flock::Key key = datagram.key;
  if (forged) key[0] ^= 1;
  std::array<std::uint8_t, flock::kDatagramSizeMax> body{};
  const std::span<const std::uint8_t> bytes(datagram.bytes.data(), datagram.size);
  for (auto _ : state) {
    const auto opened = datagram.protection.Open(key, datagram.header, datagram.to, bytes, body);
    if (opened.empty() != forged) state.SkipWithError("opened what it must not, or the reverse");
  }
}
BENCHMARK_CAPTURE(OpenDatagram, authentic, false);
BENCHMARK_CAPTURE(OpenDatagram, forged, true);

// The best of `state.range(0)` instances of one api, among 20 apis.
void LookUpBest(benchmark::State& state) {
  registry::InstanceTable table;
  for (int i = 0; i < state.range(0) * 20; ++i) {
    registry::Instance instance;
    instance.horde = "default";
    instance.api = absl::StrCat("api", i % 20);
    instance.inst = absl::StrCat("api", i % 20, "_", i % 3);
    instance.node = absl::StrCat("n", i);
    instance.net_id = absl::StrCat("127.0.0.1:", 1000 + i);
    table.Put(instance);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        registry::BestFirst(table.List({"default", "api7", ""}), {.node = "n3"}));
  }
}
BENCHMARK(LookUpBest)->Arg(5)->Arg(100);

void PlaceTenThousandOnFiveThousand(benchmark::State& state) {
  khan::Situation situation;
  for (int i = 0; i < 5000; ++i) {
    situation.nodes[absl::StrCat("node", i)] = {absl::StrCat("rack=", i % 100)};
  }
  const auto program = khan::Program::Parse("pick(a, 10000, ALL)", {"a"});
  if (!program.ok()) return state.SkipWithError("the program was refused");
  for (auto _ : state) benchmark::DoNotOptimize(khan::Evaluate(*program, situation));
}
BENCHMARK(PlaceTenThousandOnFiveThousand)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace radix

BENCHMARK_MAIN();
