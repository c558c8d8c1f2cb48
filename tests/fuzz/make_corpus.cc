// Writes the corpus that the fuzz targets start from: what nodes of a simulated bloc say to each
// other while it forms, seals leaders, rotates keys of both kinds, loses and regains members, one
// input for each shape of a datagram; and a few stories for the siege.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/flock/introduction_codec.h"
#include "services/flock/ranking.h"
#include "tests/fuzz/insider.h"
#include "tests/fuzz/siege.h"
#include "tests/sim/cluster.h"
#include "tests/sim/key_operator.h"

namespace radix::fuzz {
namespace {

constexpr std::size_t kNodes = 5;
constexpr std::uint32_t kBehaved = 0x1f;  // all are acquainted, behave for 5 s; the disk is quick

sim::ClusterOptions Options() {
  sim::ClusterOptions options;
  options.nodes = kNodes;
  options.density = 1.0 / 40;
  options.seed = 11;
  return options;
}

// Reads what is said in a cluster: it has the secondary key, and the identities of all.
class Eavesdropper {
 public:
  explicit Eavesdropper(sim::Cluster& cluster)
      : cluster_(cluster),
        protection_(cluster.charter().bloc),
        ears_(cluster.charter(), {UnusedSlot(cluster), 1}, cluster.secondary_key()) {
    cluster.on_deliver = [this](std::uint32_t from_slot, std::size_t to,
                                std::span<const std::uint8_t> datagram,
                                bool) { Hear(from_slot, to, datagram); };
  }

  // Learns the keys that node `i` has.
  void LearnKeys(std::size_t i) {
    if (!cluster_.up(i)) return;
    flock::Flock& node = cluster_.flock(i);
    const Instant now = cluster_.LocalNow(i);
    const Endpoint from{cluster_.charter().ranges.At(ears_.self().slot), cluster_.charter().port};
    for (const bool with_token : {false, true}) {
      if (with_token != ears_.has_token()) return;
      node.HandleDatagram(from, ears_.Hello(node.self(), now), now);
      while (const auto transmit = node.PollTransmit()) ears_.Receive(transmit->bytes, now);
    }
  }

  // By shape: whole datagrams, and opened bodies without their beat.
  const std::map<std::string, Bytes>& datagrams() const { return datagrams_; }
  const std::map<std::string, Bytes>& bodies() const { return bodies_; }

 private:
  static std::uint32_t UnusedSlot(sim::Cluster& cluster) {
    std::set<std::uint32_t> used;
    for (std::size_t i = 0; i < cluster.size(); ++i) used.insert(cluster.slot(i));
    std::uint32_t slot = 1;
    while (used.contains(slot)) ++slot;
    return slot;
  }

  void Hear(std::uint32_t from_slot, std::size_t to, std::span<const std::uint8_t> datagram) {
    const auto header = flock::DecodeHeader(datagram);
    if (!header || !cluster_.up(to)) return;
    static constexpr const char* kTypes[] = {"",        "hello", "retry", "token-hello",
                                             "welcome", "group", "pair"};
    const std::string type = kTypes[static_cast<int>(header->type)];
    datagrams_.try_emplace(type + "-" + std::to_string(datagram.size() / 100),
                           Bytes(datagram.begin(), datagram.end()));
    const bool pair = header->type == flock::PacketType::kPair;
    if (!pair && header->type != flock::PacketType::kGroup) return;
    for (std::size_t from = 0; from < cluster_.size(); ++from) {
      if (cluster_.slot(from) == from_slot) Open(*header, from, to, pair, datagram);
    }
  }

  void Open(const flock::Header& header, std::size_t from, std::size_t to, bool pair,
            std::span<const std::uint8_t> datagram) {
    const flock::MemberId receiver = cluster_.flock(to).self();
    flock::PairKeys identity(header.sender, cluster_.identity(from),
                             TextHash(cluster_.charter().bloc));
    identity.Learn(receiver, cluster_.flock(to).public_key(), 1);
    const flock::Key* const key = pair ? identity.Find(receiver) : ears_.KeyOf(header.key_tag);
    if (key == nullptr) return;
    std::array<std::uint8_t, flock::kDatagramSizeMax> opened;
    const auto bytes = protection_.Open(
        *key, header, {receiver, cluster_.charter().ranges.At(receiver.slot)}, datagram, opened);
    if (!flock::DecodeBody(bytes, pair)) return;
    std::string shape = pair ? "pair" : "group";
    flock::Reader in(bytes.subspan(flock::kBeatSize));
    while (in.left() > 0) {
      shape += "-" + std::to_string(in.U8());
      static_cast<void>(in.Bytes(in.U16()));
    }
    const auto body = bytes.subspan(flock::kBeatSize);
    bodies_.try_emplace(shape, Bytes(body.begin(), body.end()));
  }

  sim::Cluster& cluster_;
  flock::PacketProtection protection_;
  Insider ears_;
  std::map<std::string, Bytes> datagrams_;
  std::map<std::string, Bytes> bodies_;
};

// A bloc's life in some minutes: power-up, a late node, rotations, a link that is cut, a leader's
// death and return, the secondary key changed by order, a good-bye. Returns whether it went so.
bool Live(sim::Cluster& cluster, Eavesdropper& eavesdropper) {
  const auto run = [&](Duration duration) {
    for (Duration passed{}; passed < duration; passed += 500ms) {
      for (std::size_t i = 0; i < kNodes; ++i) eavesdropper.LearnKeys(i);
      cluster.RunFor(500ms);
    }
  };
  const auto settle = [&] {  // so few nodes in so many addresses take their time
    for (int i = 0; i < 600 && !(cluster.OneView() && cluster.OneLeader()); ++i) run(500ms);
    return cluster.OneView() && cluster.OneLeader();
  };
  for (std::size_t i = 1; i < kNodes; ++i) cluster.Boot(i);
  if (!settle()) return false;
  cluster.Boot(0);
  if (!settle()) return false;
  for (std::size_t i = 1; i < kNodes; ++i) {
    if (!cluster.flock(0).RequestIntroduction(cluster.slot(i), cluster.LocalNow(0))) return false;
  }
  run(40s);
  cluster.network().SetNodeLoss(0, 0.6, 0.6);
  run(10s);
  cluster.network().Heal();
  const std::size_t leader = cluster.Leader().value_or(1);
  cluster.Crash(leader);
  run(10s);
  cluster.Boot(leader);
  run(45s);
  if (!settle() || !sim::KeyOperator(cluster).Rotate()) return false;
  cluster.Leave(2);
  run(2s);
  return true;
}

void Put16(std::size_t number, Bytes& out) {
  out.push_back(static_cast<std::uint8_t>(number));
  out.push_back(static_cast<std::uint8_t>(number >> 8));
}

void PutStep(Step step, std::initializer_list<std::uint8_t> rest, Bytes& out) {
  out.push_back(static_cast<std::uint8_t>(step));
  out.insert(out.end(), rest);
}

void PutBody(Step step, std::uint8_t who, std::uint8_t flags, const Bytes& body, Bytes& out) {
  PutStep(step, {who, flags}, out);
  Put16(body.size(), out);
  out.insert(out.end(), body.begin(), body.end());
}

void Write(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

void PutDatagram(std::uint8_t slot, const Bytes& bytes, Bytes& out) {
  out.insert(out.end(), {4 | 1 << 3, slot});
  Put16(bytes.size(), out);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void WriteDatagrams(const std::map<std::string, Bytes>& datagrams,
                    const std::filesystem::path& folder) {
  Bytes all;
  std::uint8_t slot = 1;
  for (const auto& [shape, bytes] : datagrams) {
    Bytes input;
    PutDatagram(slot, bytes, input);
    Write(folder / shape, input);
    all.insert(all.end(), input.begin(), input.end());
    ++slot;
  }
  Write(folder / "all", all);
}

template <typename Encode>
Bytes Encoded(const Encode& encode) {
  Bytes bytes(flock::kDatagramSizeMax);
  flock::Writer out(bytes);
  encode(out);
  bytes.resize(out.size());
  return bytes;
}

// What the decoders read when a datagram was opened: the target gives them every datagram as it is.
void WritePlain(const std::map<std::string, Bytes>& bodies, const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const Bytes& bytes) {
    Bytes input;
    PutDatagram(1, bytes, input);
    Write(folder / name, input);
  };
  Bytes all;
  for (const auto& [shape, body] : bodies) {
    if (body.size() > 200) continue;
    PutDatagram(1, Encoded([&](flock::Writer& out) {
                  Encode(flock::Beat{.incarnation = 1}, out);
                  out.Bytes(body);
                }),
                all);
  }
  Write(folder / "plain-bodies", all);

  flock::KeyRing keys(flock::Ranking(1), {1, 1, {1, 7}}, {1}, 1h, Instant(1h));
  keys.Prepare(1, {1, 7}, {2});
  const Bytes ring = Encoded([&](flock::Writer& out) { keys.Encode(out); });
  write("plain-ring", ring);
  write("plain-introduction", *flock::EncodeIntroduction({"n1", {"fast", "rack=7"}}));
  const flock::Record record{{1, 7}, 1, flock::MemberState::kAlive, 9};
  write("plain-welcome", Encoded([&](flock::Writer& out) {
          EncodeWelcome({.sender = record,
                         .beat = {.incarnation = 1},
                         .token = 2,
                         .about_you = record,
                         .secondary_keys = {{4}, {5}},
                         .ring = ring,
                         .others = {record}},
                        out);
        }));
}

void WriteBodies(const std::map<std::string, Bytes>& bodies, const std::filesystem::path& folder) {
  for (const auto& [shape, body] : bodies) {
    const Step step = shape.starts_with("pair") ? Step::kPair : Step::kGroup;
    Bytes input = {0x17};
    PutBody(step, 0, kWithBeat, body, input);
    PutStep(Step::kWait, {20}, input);
    Write(folder / shape, input);
  }
}

void WriteStories(const std::map<std::string, Bytes>& bodies, const std::filesystem::path& folder) {
  // The victim leads, is asked again and again what it heard already, and loses its voters.
  Bytes leader = {kBehaved};
  for (std::uint8_t i = 0; i < 6; ++i) {
    PutStep(Step::kAgain, {i, 0, 0, 0}, leader);
    PutStep(Step::kAgain, {i, static_cast<std::uint8_t>(20 * i), 0, 1}, leader);
    PutStep(Step::kHonest, {static_cast<std::uint8_t>(i % 2)}, leader);
    PutStep(Step::kWait, {90}, leader);
  }
  PutStep(Step::kLeave, {}, leader);
  Write(folder / "story-leader", leader);

  Bytes reboots = {0x17};
  for (std::uint8_t i = 0; i < 3; ++i) {
    PutStep(Step::kAskForNames, {i}, reboots);
    PutStep(Step::kReboot, {i}, reboots);
    PutStep(Step::kHello, {i}, reboots);
    PutStep(Step::kHonest, {i}, reboots);
    PutStep(Step::kHonest, {i}, reboots);
    PutStep(Step::kWait, {250}, reboots);
  }
  Write(folder / "story-reboots", reboots);

  // The victim is left alone, says HELLO to those it knew, and is answered.
  Bytes away = {7};
  PutStep(Step::kWait, {200}, away);
  for (std::uint8_t i = 0; i < 3; ++i) {
    PutStep(Step::kWelcome, {i, 0, 0, 0}, away);
    PutStep(Step::kRawHello, {i, 4, 0, 1, 2, 3, 4}, away);
    PutStep(Step::kRawRetry, {i, 2, 0, 0, 2}, away);
    PutStep(Step::kRawRetry, {i, 3, 0, 0, 2, 0}, away);
  }
  PutStep(Step::kStore, {}, away);
  Write(folder / "story-away", away);

  // Found by a longer run: the victim is asked to reach a boot of its own slot.
  Bytes itself = {0x17};
  PutBody(Step::kGroup, 0, kWithBeat, Encoded([](flock::Writer& out) {
            Append(flock::PingRequest{{kVictimSlot, 9}, 1}, out);
          }),
          itself);
  Write(folder / "story-itself", itself);

  Bytes everything = {kBehaved};
  int steps = 0;
  for (const auto& [shape, body] : bodies) {
    if (body.size() > 200 || ++steps > 40) continue;
    PutBody(shape.starts_with("pair") ? Step::kPair : Step::kGroup,
            static_cast<std::uint8_t>(steps), kWithBeat | kWithAck, body, everything);
  }
  Write(folder / "story-everything", everything);
}

}  // namespace

int MakeCorpus(const std::filesystem::path& folder) {
  sim::Cluster cluster(Options());
  if (cluster.charter().Canonical() != FuzzCharter().Canonical()) {
    std::cerr << "fuzz_corpus: the cluster's charter is not that of the fuzz targets\n";
    return 1;
  }
  Eavesdropper eavesdropper(cluster);
  if (!Live(cluster, eavesdropper)) {
    std::cerr << "fuzz_corpus: the bloc did not form\n";
    return 1;
  }
  for (const char* part : {"datagram", "sealed"}) {
    std::filesystem::create_directories(folder / part);
  }
  // Whole datagrams of an earlier version are noise; bodies, and what was found, stay.
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "datagram")) {
    if (!entry.path().filename().string().starts_with("found-")) old.push_back(entry.path());
  }
  for (const auto& path : old) std::filesystem::remove(path);
  WriteDatagrams(eavesdropper.datagrams(), folder / "datagram");
  WritePlain(eavesdropper.bodies(), folder / "datagram");
  WriteBodies(eavesdropper.bodies(), folder / "sealed");
  WriteStories(eavesdropper.bodies(), folder / "sealed");
  std::cout << eavesdropper.datagrams().size() << " shapes of datagrams, "
            << eavesdropper.bodies().size() << " of bodies\n";
  return 0;
}

}  // namespace radix::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_corpus FOLDER\n";
    return 2;
  }
  return radix::fuzz::MakeCorpus(argv[1]);
}
