#include "tests/sim/cluster.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>
#include <utility>

#include "services/confab/fingerprint.h"
#include "services/flock/packet_codec.h"

namespace radix::sim {
namespace {

constexpr Instant kBegin{Duration(1h)};
constexpr std::size_t kWaitingMax = 300;
constexpr std::size_t kRecordedMax = 256;
// Who waits so long for a processor may well say that it stood still.
constexpr Duration kStandsStill = 900ms;
// Two machines of one address get what is sent to it in turns, each for so long.
constexpr Duration kTwinsTurn = 700ms;

flock::Key DrawKey(Random& random) {
  flock::Key key;
  for (std::size_t i = 0; i < key.size(); i += 8) {
    const std::uint64_t word = random.Next();
    std::memcpy(key.data() + i, &word, sizeof(word));
  }
  return key;
}

Charter MakeCharter(const ClusterOptions& options, std::size_t bloc) {
  const auto slots = static_cast<std::uint32_t>(std::max<double>(
      static_cast<double>(options.nodes), static_cast<double>(options.nodes) / options.density));
  CharterFields fields;
  fields.bloc = bloc == 0 ? "simulated" : "simulated-" + std::to_string(bloc);
  const std::uint32_t last = (10U << 24) + slots - 1;
  fields.ranges = {"10.0.0.0-" + std::to_string(last >> 24) + "." +
                   std::to_string(last >> 16 & 255) + "." + std::to_string(last >> 8 & 255) + "." +
                   std::to_string(last & 255)};
  fields.port = 7117;
  const std::size_t nodes = (options.nodes - bloc + options.blocs - 1) / options.blocs;
  fields.at_most = options.at_most == 0 ? static_cast<std::int64_t>(nodes)
                                        : static_cast<std::int64_t>(options.at_most);
  if (options.quorum != 0) fields.quorum = options.quorum;
  fields.key_file = "none";
  auto charter = Charter::Create(fields);
  assert(charter.ok());
  return *std::move(charter);
}

bool IsDatagram(const Step& step) {
  return step.kind == StepKind::kDatagram || step.kind == StepKind::kReplay;
}

// Whether it is one of those with a key exchange.
bool IsDoor(std::span<const std::uint8_t> bytes) {
  const auto header = flock::DecodeHeader(bytes);
  return header && header->type <= flock::PacketType::kWelcome;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : options_(options),
      random_(options.seed * 0x9e3779b97f4a7c15 + 1),
      network_(options.nodes, options.network, random_.Next()),
      processors_(options.processors, options.nodes),
      traffic_(options.nodes),
      health_(options.nodes),
      nodes_(options.nodes),
      now_(kBegin) {
  assert(options.blocs >= 1 && options.blocs <= options.nodes);
  const flock::Key key = DrawKey(random_);
  for (std::size_t bloc = 0; bloc < options.blocs; ++bloc) {
    Charter charter = MakeCharter(options, bloc);
    const std::uint32_t slots = charter.ranges.size();
    blocs_.push_back({std::move(charter), bloc == 0 || options.one_key ? key : DrawKey(random_),
                      Invariants(options.nodes, slots)});
    blocs_.back().invariants.set_disks_intact(options.with_disk >= 1);
  }
  std::vector<std::uint32_t> slots(charter().ranges.size());
  for (std::uint32_t i = 0; i < slots.size(); ++i) slots[i] = i;
  random_.Shuffle(slots);
  node_of_slot_.assign(slots.size(), -1);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    const bool twin = i >= nodes_.size() - options.twins;
    node.slot = twin ? nodes_[i - (nodes_.size() - options.twins)].slot : slots[i];
    node.bloc = static_cast<std::uint32_t>(i % blocs_.size());
    node.key_file = {blocs_[node.bloc].secondary};
    if (!twin) node_of_slot_[node.slot] = static_cast<std::int32_t>(i);
    node.has_disk = random_.Chance(options.with_disk);
    node.identity = DrawKey(random_);
    const auto span = static_cast<std::uint64_t>(2 * options.drift_ppm + 1);
    node.ppm = static_cast<std::int64_t>(random_.Below(span)) - options.drift_ppm;
    node.offset = random_.Between(0ms, 1h);
  }
}

Instant Cluster::ToLocal(const Node& node, Instant true_time) const {
  const Duration::rep passed = (true_time - kBegin).count();
  return Instant(node.offset + Duration(passed + passed / 1000000 * node.ppm +
                                        passed % 1000000 * node.ppm / 1000000)) +
         1h;
}

Instant Cluster::ToTrue(const Node& node, Instant local) const {
  if (local >= Instant::max() - 24h) return Instant::max();
  const auto passed = static_cast<double>((local - 1h - Instant(node.offset)).count());
  const double factor = 1e6 / (1e6 + static_cast<double>(node.ppm));
  return kBegin + Duration(static_cast<Duration::rep>(passed * factor)) + 1ns;
}

void Cluster::Trace(std::uint64_t value) {
  trace_hash_ = (trace_hash_ ^ value) * 0x9e3779b97f4a7c15;
  trace_hash_ ^= trace_hash_ >> 29;
}

void Cluster::Boot(std::size_t i) {
  Node& node = nodes_[i];
  assert(!node.flock);
  flock::Config config;
  config.charter = blocs_[node.bloc].charter;
  config.slot = node.slot;
  config.boot = random_.Next() | 1;
  config.identity_seed = node.identity;
  config.secondary_keys = node.key_file;
  config.has_key_file = node.has_disk;
  config.entropy = DrawKey(random_);
  config.remembered = node.has_disk ? node.remembered : std::vector<std::uint32_t>{};
  config.has_disk = node.has_disk;
  config.recorded = node.disk;
  if (!node.has_disk) node.knows_revoked.clear();
  config.revoked = node.knows_revoked;
  config.introduction = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)};
  config.tunables = options_.tunables;
  InvariantsOf(node).Booted(i, {node.slot, config.boot});
  auto created = flock::Flock::Create(std::move(config), ToLocal(node, now_));
  if (!created.ok()) {
    InvariantsOf(node).Report(now_, std::string(created.status().message()));
    return;
  }
  node.flock.emplace(*std::move(created));
  node.fingerprint = FingerprintOf(node.flock->public_key());
  ++node.generation;
  node.paused = false;
  node.wake = Instant::max();
  if (!node.has_disk) InvariantsOf(node).ForgetPromises(i);
  Drain(i);
}

void Cluster::Crash(std::size_t i) {
  Node& node = nodes_[i];
  if (!node.flock) return;
  node.remembered = node.flock->PeersToRemember();
  if (node.writing && random_.Chance(0.5)) node.disk = *node.writing;
  node.writing.reset();
  if (node.writing_keys && !node.key_file_full && random_.Chance(0.5)) {
    node.key_file = node.writing_keys->keys;
  }
  node.writing_keys.reset();
  InvariantsOf(node).Orphan(i);
  health_.Crashed(node.flock->self(), now_);
  node.flock.reset();
  for (const Step& step : node.waiting) pool_.Free(step.payload);
  node.waiting.clear();
  node.paused = false;
  if (!processors_.shared()) return;
  for (const auto& [step, size] : processors_.Forget(static_cast<std::uint32_t>(i))) {
    if (size > 0) pool_.Free(step.payload);
  }
}

void Cluster::WipeDisk(std::size_t i) {
  Node& node = nodes_[i];
  node.disk = {};
  node.remembered.clear();
  InvariantsOf(node).ForgetPromises(i);
  InvariantsOf(node).set_disks_intact(false);
}

void Cluster::SwapAddresses(std::size_t a, std::size_t b) {
  assert(!up(a) && !up(b));
  std::swap(nodes_[a].slot, nodes_[b].slot);
  node_of_slot_[nodes_[a].slot] = static_cast<std::int32_t>(a);
  node_of_slot_[nodes_[b].slot] = static_cast<std::int32_t>(b);
}

void Cluster::Pause(std::size_t i) { nodes_[i].paused = nodes_[i].flock.has_value(); }

void Cluster::Resume(std::size_t i) {
  Node& node = nodes_[i];
  if (!node.paused) return;
  node.paused = false;
  InvariantsOf(node).Resumed(i);
  for (const Step& step : std::exchange(node.waiting, {})) Deliver(step);
  if (!node.flock) return;
  node.flock->HandleTimeout(ToLocal(node, now_));
  Drain(i);
}

void Cluster::Leave(std::size_t i) {
  Node& node = nodes_[i];
  if (!node.flock) return;
  node.flock->Leave(ToLocal(node, now_));
  Drain(i);
  InvariantsOf(node).CheckNoLeadership(i, now_);
  Crash(i);
}

void Cluster::RunUntil(Instant until) {
  while (!queue_.empty() && queue_.next() <= until) {
    const Step step = queue_.Pop();
    now_ = step.at;
    Perform(step);
  }
  now_ = until;
}

bool Cluster::RunUntilTrue(const std::function<bool()>& done, Duration limit, Duration every) {
  const Instant end = now_ + limit;
  while (!done()) {
    if (now_ >= end) return false;
    RunUntil(std::min(end, now_ + every));
  }
  return true;
}

void Cluster::Perform(const Step& step) {
  if (step.kind == StepKind::kServed) {
    if (const auto next = processors_.Next(step.node)) Serve(*next);
  } else if (processors_.shared()) {
    Queue(step);
  } else {
    Do(step);
  }
}

void Cluster::Queue(const Step& step) {
  if (IsDatagram(step) &&
      (!up(step.node) || !processors_.Add(step, pool_.At(step.payload).size()))) {
    pool_.Free(step.payload);
    return;
  }
  if (!IsDatagram(step)) processors_.Add(step, 0);
  if (const auto node = processors_.Begin()) Serve(*node);
}

void Cluster::Serve(std::size_t i) {
  const auto node = static_cast<std::uint32_t>(i);
  const Step work = processors_.Take(node, now_);
  const flock::Counters before = up(i) ? flock(i).counters() : flock::Counters{};
  if (now_ - work.at >= kStandsStill && !IsDatagram(work)) InvariantsOf(nodes_[i]).Resumed(i);
  const bool door = IsDatagram(work) && IsDoor(pool_.At(work.payload));
  Do(work);
  Step served;
  served.kind = StepKind::kServed;
  served.node = node;
  served.at =
      now_ + processors_.Charge(node, work, door, before, up(i) ? flock(i).counters() : before);
  queue_.Push(served);
}

void Cluster::Do(const Step& step) {
  Node& node = nodes_[step.node];
  switch (step.kind) {
    case StepKind::kDatagram:
    case StepKind::kReplay:
      Deliver(step);
      return;
    case StepKind::kWake:
      if (!node.flock || step.payload != node.generation || node.wake != step.at) return;
      node.wake = Instant::max();
      if (node.paused) return;
      Trace(static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ step.node);
      node.flock->HandleTimeout(ToLocal(node, now_));
      Drain(step.node);
      return;
    case StepKind::kPersisted:
      if (!node.flock || step.payload != node.generation || !node.writing) return;
      node.disk = *std::exchange(node.writing, std::nullopt);
      node.flock->HandlePersisted(node.disk, ToLocal(node, now_));
      Drain(step.node);
      return;
    case StepKind::kKeysStored:
      if (!node.flock || step.payload != node.generation || !node.writing_keys) return;
      StoreKeys(step.node);
      return;
    case StepKind::kServed:
      return;
  }
}

void Cluster::StoreKeys(std::size_t i) {
  Node& node = nodes_[i];
  if (node.key_file_full) {
    Schedule(StepKind::kKeysStored, i, random_.Between(100ms, 300ms));
    return;
  }
  node.key_file = node.writing_keys->keys;
  const std::uint32_t version = std::exchange(node.writing_keys, std::nullopt)->version;
  node.flock->HandleKeyFileStored(version, ToLocal(node, now_));
  Drain(i);
}

void Cluster::Schedule(StepKind kind, std::size_t i, Duration after) {
  Step step;
  step.kind = kind;
  step.node = static_cast<std::uint32_t>(i);
  step.payload = nodes_[i].generation;
  step.at = now_ + after;
  queue_.Push(step);
}

std::uint64_t Cluster::OrderKeys(std::size_t i, const flock::KeyOrder& order) {
  const std::uint64_t id = nodes_[i].flock->OrderKeys(order, LocalNow(i));
  Drain(i);
  return id;
}

void Cluster::Deliver(const Step& step) {
  Node& node = nodes_[step.node];
  if (!node.flock || (node.paused && node.waiting.size() >= kWaitingMax)) {
    pool_.Free(step.payload);
    return;
  }
  if (node.paused) {
    node.waiting.push_back(step);
    return;
  }
  traffic_.Arrived(step.node, now_);
  const Charter& charter = blocs_[node.bloc].charter;
  const Endpoint from{charter.ranges.At(step.from), charter.port};
  const std::uint64_t before = node.flock->counters().accepted;
  std::vector<std::uint8_t>& bytes = pool_.At(step.payload);
  Trace(static_cast<std::uint64_t>(now_.time_since_epoch().count()) + step.node);
  Trace(bytes.size() ^ std::uint64_t{bytes.back()} << 32 ^ step.from);
  node.flock->HandleDatagram(from, bytes, ToLocal(node, now_));
  const bool accepted = node.flock->counters().accepted != before;
  const bool copied = options_.network.duplication > 0 || options_.network.replay > 0;
  if (copied && accepted) {
    InvariantsOf(node).CheckAccepted(step.id, node.flock->self().boot, now_);
  }
  if (on_deliver) on_deliver(step.from, step.node, bytes, accepted);
  pool_.Free(step.payload);
  Drain(step.node);
}

// Of two machines with one address, the one that the network takes it for at present.
std::size_t Cluster::NodeAt(std::int32_t first) {
  const auto node = static_cast<std::size_t>(first);
  const bool has_twin = node < options_.twins;
  const bool other = now_.time_since_epoch() / kTwinsTurn % 2 == 1;
  return has_twin && other ? node + nodes_.size() - options_.twins : node;
}

void Cluster::Send(std::size_t from, const flock::Transmit& transmit) {
  InvariantsOf(nodes_[from]).CheckSent(from, now_, transmit.slot, transmit.bytes);
  if (node_of_slot_[transmit.slot] < 0) return;
  const std::size_t to = NodeAt(node_of_slot_[transmit.slot]);
  if (lets_pass && !lets_pass(from, to, transmit.bytes)) return;
  const std::uint64_t id = ++datagram_id_;
  const Network::Fate fate = network_.Send(from, to);
  NetworkOptions& options = network_.options();
  Step step;
  step.kind = StepKind::kDatagram;
  step.node = static_cast<std::uint32_t>(to);
  step.from = nodes_[from].slot;
  step.id = id;
  for (std::size_t i = 0; i < fate.copies; ++i) {
    step.payload = pool_.Put(transmit.bytes);
    step.at = now_ + fate.delays[i];
    if (options.corruption > 0 && random_.Chance(options.corruption)) {
      std::vector<std::uint8_t>& bytes = pool_.At(step.payload);
      bytes[random_.Below(bytes.size())] ^= static_cast<std::uint8_t>(1 + random_.Below(255));
    }
    queue_.Push(step);
  }
  if (options.replay <= 0 || !random_.Chance(options.replay)) return;
  // Somebody recorded it; and sends something recorded before.
  step.payload = pool_.Put(transmit.bytes);
  if (recorded_.size() < kRecordedMax) {
    recorded_.push_back(step);
  } else {
    Step& old = recorded_[random_.Below(recorded_.size())];
    pool_.Free(old.payload);
    old = step;
  }
  Step replay = recorded_[random_.Below(recorded_.size())];
  replay.payload = pool_.Put(pool_.At(replay.payload));
  replay.at = now_ + random_.Between(100us, 1s);
  replay.kind = StepKind::kReplay;
  queue_.Push(replay);
}

void Cluster::Drain(std::size_t i) {
  Node& node = nodes_[i];
  while (const auto promise = node.flock->PollPersist()) {
    node.writing = promise;
    Schedule(StepKind::kPersisted, i, random_.Between(100us, 5ms));
  }
  while (auto keys = node.flock->PollKeyFile()) {
    if (!node.writing_keys) Schedule(StepKind::kKeysStored, i, random_.Between(100us, 20ms));
    node.writing_keys = std::move(keys);
  }
  while (const auto answer = node.flock->PollKeyAnswer()) {
    if (on_key_answer) on_key_answer(i, *answer);
  }
  while (const auto transmit = node.flock->PollTransmit()) Send(i, *transmit);
  while (const auto event = node.flock->PollEvent()) {
    InvariantsOf(node).CheckEvent(i, now_, *event);
    NoteListing(i, *event);
    if (on_event) on_event(i, *event);
  }
  Check(i);
  const Instant wake = std::max(ToTrue(node, node.flock->NextTimeout()), now_ + 1us);
  if (wake < node.wake) {
    node.wake = wake;
    Step step;
    step.kind = StepKind::kWake;
    step.node = static_cast<std::uint32_t>(i);
    step.payload = node.generation;
    step.at = wake;
    if (wake != Instant::max()) queue_.Push(step);
  }
}

void Cluster::NoteListing(std::size_t observer, const flock::Event& event) {
  const flock::MemberId& subject = event.subject;
  if (event.kind == flock::EventKind::kDied) NoteRemoval(observer, subject);
  if (event.kind == flock::EventKind::kLeft) health_.Unlisted(observer, subject, now_);
  if (event.kind != flock::EventKind::kJoined) return;
  health_.Listed(observer, subject);
  if (event.evidence == flock::Evidence::kReplacedByBoot) {
    health_.Unlisted(observer, {subject.slot, event.value}, now_);
  }
}

void Cluster::NoteRemoval(std::size_t observer, const flock::MemberId& id) {
  const std::int32_t at = node_of_slot_[id.slot];
  const auto subject = static_cast<std::size_t>(at);
  const bool lives =
      at >= 0 && nodes_[subject].flock && nodes_[subject].flock->self() == id && !paused(subject);
  health_.Removed(observer, id, lives ? &subject : nullptr, now_);
}

void Cluster::Check(std::size_t i) {
  const Node& node = nodes_[i];
  Invariants& invariants = InvariantsOf(node);
  const Instant local = ToLocal(node, now_);
  traffic_.Viewed(i, node.flock->view_hash());
  if (const auto lead = node.flock->own_leadership(local)) {
    invariants.CheckLeadership(i, now_, *lead, ToTrue(node, lead->until));
  } else {
    invariants.CheckNoLeadership(i, now_);
  }
  // What was answered counts, not what waits for the disk.
  if (const auto grant = node.flock->own_grant(local)) {
    invariants.CheckPromise(i, now_, {grant->epoch, grant->leader});
  }
}

bool Cluster::Inject(std::uint32_t from_slot, std::size_t to, std::span<const std::uint8_t> bytes) {
  Node& node = nodes_[to];
  if (!node.flock || node.paused) return false;
  const Charter& charter = blocs_[node.bloc].charter;
  const std::uint64_t before = node.flock->counters().accepted;
  node.flock->HandleDatagram({charter.ranges.At(from_slot), charter.port}, bytes, LocalNow(to));
  const bool accepted = node.flock->counters().accepted != before;
  Drain(to);
  return accepted;
}

}  // namespace radix::sim
