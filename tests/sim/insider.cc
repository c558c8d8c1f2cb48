#include "tests/sim/insider.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/flock/pair_keys.h"

namespace radix::sim {
namespace {

constexpr std::size_t kGhosts = 6;

flock::Key SeedOf(Random& random) {
  flock::Key key{};
  for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(random.Next());
  return key;
}

// As flock derives scopes from the bloc's name.
std::uint64_t ScopeOf(const std::string& bloc) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bloc) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

Insider::Insider(Cluster& cluster, std::size_t node)
    : cluster_(cluster),
      node_(node),
      random_(cluster.random().Next()),
      self_(cluster.flock(node).self()),
      protection_(cluster.charter().bloc),
      secondary_({cluster.secondary_key()}),
      secrets_(SeedOf(random_)),
      handshake_(protection_, secondary_, secrets_),
      ring_(flock::Ranking(0), flock::KeyId{0, 0, {self_.slot, 0}}, SeedOf(random_), 60s,
            cluster.now()),
      pair_keys_(self_, cluster.identity(node), ScopeOf(cluster.charter().bloc)),
      told_key_(SeedOf(random_)),
      answered_(cluster.size()),
      counters_(cluster.size()),
      fresh_(cluster.size()) {
  std::vector<bool> taken(cluster.charter().ranges.size());
  for (std::size_t i = 0; i < cluster.size(); ++i) taken[cluster.slot(i)] = true;
  for (std::uint32_t slot = 0; slot < taken.size() && ghosts_.size() < kGhosts; ++slot) {
    if (!taken[slot]) ghosts_.push_back({{slot, random_.Next() | 1}, SeedOf(random_)});
  }
}

bool Insider::NoteSent(std::size_t to, std::span<const std::uint8_t> bytes) {
  const auto header = flock::DecodeHeader(bytes);
  // Who asks is to hear the lie.
  if (header && header->type == flock::PacketType::kWelcome && !offered_.empty()) return false;
  if (header && header->type >= flock::PacketType::kTokenHello) {
    counters_[to] = std::max(counters_[to], header->counter);
    fresh_[to] = true;
  }
  return true;
}

void Insider::NoteReceived(std::span<const std::uint8_t> bytes) {
  const auto header = flock::DecodeHeader(bytes);
  if (!header) return;
  const flock::Destination here{self_, cluster_.charter().ranges.At(self_.slot)};
  if (header->type == flock::PacketType::kTokenHello && !offered_.empty()) {
    const auto hello = handshake_.OpenHello(*header, here, bytes);
    for (std::size_t i = 0; hello && hello->proof && i < cluster_.size(); ++i) {
      if (cluster_.slot(i) == header->sender.slot) asked_.emplace_back(i, *hello);
    }
  }
  if (header->type == flock::PacketType::kRetry) {
    const auto token = handshake_.OpenRetry(*header, here, bytes, cluster_.now());
    if (token) SendHello(hello_to_, token);
  }
  if (header->type == flock::PacketType::kPair) NotePair(*header, bytes);
  if (header->type != flock::PacketType::kWelcome) return;
  const auto welcome = handshake_.OpenWelcome(*header, here, bytes, cluster_.now());
  if (!welcome) return;
  ring_.Merge(welcome->ring, cluster_.now());
  key_tag_ = welcome->beat.ring_tag;
}

// A request that does not echo the last answer gets that once more, and nothing else.
void Insider::NotePair(const flock::Header& header, std::span<const std::uint8_t> bytes) {
  const flock::Key* const key = pair_keys_.Find(header.sender);
  if (key == nullptr) return;
  std::array<std::uint8_t, flock::kDatagramSizeMax> opened;
  const flock::Destination here{self_, cluster_.charter().ranges.At(self_.slot)};
  const auto body = flock::DecodeBody(protection_.Open(*key, header, here, bytes, opened), true);
  for (std::size_t i = 0; body && body->grant && i < cluster_.size(); ++i) {
    if (cluster_.slot(i) == header.sender.slot) answered_[i] = body->grant->answer;
  }
}

void Insider::AskForKeys() {
  // One whose count is known: what comes twice is not answered.
  hello_to_ = AnyHonest();
  for (int draws = 0; draws < 100 && counters_[hello_to_] == 0; ++draws) hello_to_ = AnyHonest();
  SendHello(hello_to_, std::nullopt);
}

void Insider::SendHello(std::size_t to, std::optional<std::uint64_t> token) {
  std::optional<flock::HelloProof> proof;
  if (token) {
    const flock::Record record = RecordOf(node_);
    proof = {*token, ++counters_[to], record.incarnation, record.fingerprint};
  }
  std::array<std::uint8_t, flock::Handshake::kHelloSize> hello;
  const std::uint32_t slot = cluster_.slot(to);
  const flock::Destination destination{{slot, 0}, cluster_.charter().ranges.At(slot)};
  const std::size_t size = handshake_.WriteHello(self_, destination, cluster_.now(), proof, hello);
  cluster_.Inject(self_.slot, to, std::span(hello).first(size));
}

std::size_t Insider::AnyHonest() {
  for (;;) {
    const auto node = static_cast<std::size_t>(random_.Below(cluster_.size()));
    if (node != node_ && cluster_.up(node)) return node;
  }
}

// The insider is a member: it has heard the truth as well.
flock::Record Insider::RecordOf(std::size_t node) {
  const flock::Flock& flock = cluster_.flock(node);
  for (const flock::MemberView& member : flock.Members(cluster_.LocalNow(node))) {
    if (member.id == flock.self()) {
      return {member.id, member.incarnation, flock::MemberState::kAlive,
              flock::FingerprintOf(flock.public_key())};
    }
  }
  return {};
}

flock::Record Insider::RecordOf(const Ghost& ghost) const {
  const flock::Key key = flock::PairKeys(ghost.id, ghost.seed, 0).public_key();
  return {ghost.id, ghost.incarnation, flock::MemberState::kAlive, flock::FingerprintOf(key)};
}

flock::Writer Insider::Begin(std::uint32_t ring_tag) {
  flock::Writer body(std::span<std::uint8_t>(draft_).subspan(
      flock::kHeaderSize, flock::kDatagramSizeMax - flock::kHeaderSize - flock::kTagSize));
  Encode(flock::Beat{RecordOf(node_).incarnation, flock::Beat::kHearsYou, ring_tag, random_.Next()},
         body);
  return body;
}

void Insider::SendToAll(const flock::Writer& body, flock::PacketType type) {
  const flock::Key* const key = ring_.Find(key_tag_, cluster_.now());
  if (key == nullptr) return;
  const std::vector<std::uint8_t> plain(body.written().begin(), body.written().end());
  for (std::size_t to = 0; to < cluster_.size(); ++to) {
    if (counters_[to] == 0 || to == node_ || !cluster_.up(to)) continue;
    if (patient_ && !fresh_[to]) continue;
    fresh_[to] = false;
    // Its own node will use that counter, too: one datagram of it is lost.
    const flock::Header header{type, key_tag_, self_, ++counters_[to]};
    flock::Writer head(draft_);
    Encode(header, head);
    std::ranges::copy(plain, draft_.begin() + flock::kHeaderSize);
    const flock::MemberId id = cluster_.flock(to).self();
    const flock::Destination destination{id, cluster_.charter().ranges.At(id.slot)};
    const std::size_t size = protection_.Seal(*key, header, destination, draft_, plain.size());
    if (cluster_.Inject(self_.slot, to, std::span(draft_).first(size))) ++lies_;
  }
}

void Insider::SendStatement(const std::vector<std::uint8_t>& statement) {
  flock::Writer body = Begin();
  flock::AppendStatements(statement, body);
  SendToAll(body);
}

void Insider::SendRecord(const flock::Record& record) {
  flock::Writer body = Begin();
  AppendRecords(std::span(&record, 1), body);
  SendToAll(body);
}

std::vector<std::uint8_t> Insider::Accusation(const flock::Key& seed, const flock::MemberId& author,
                                              std::size_t victim) {
  const flock::Accused accused{cluster_.slot(victim), CheckOf(RecordOf(victim))};
  return flock::Signer(seed, ScopeOf(cluster_.charter().bloc))
      .Sign(flock::StatementKind::kAccuses, author, 1, std::span(&accused, 1));
}

void Insider::AccuseSigned(std::size_t victim) {
  SendStatement(Accusation(cluster_.identity(node_), self_, victim));
}

void Insider::AccuseByGhosts(std::size_t victim) {
  std::vector<std::vector<std::uint8_t>> statements;
  for (const Ghost& ghost : ghosts_) {
    statements.push_back(Accusation(ghost.seed, ghost.id, victim));
  }
  for (const auto& statement : statements) SendStatement(statement);
}

// With their public keys, but signed with its own. Of all at once: the victim refutes the first.
void Insider::AccuseInOthersNames(std::size_t victim) {
  std::vector<std::vector<std::uint8_t>> statements;
  for (int i = 0; i < 4; ++i) {
    const std::size_t other = AnyHonest();
    if (other == victim) continue;
    statements.push_back(
        Accusation(cluster_.identity(node_), cluster_.flock(other).self(), victim));
    std::ranges::copy(cluster_.flock(other).public_key(), statements.back().begin() + 2 + 12 + 4);
  }
  for (const auto& statement : statements) SendStatement(statement);
}

void Insider::SayGoodBye(std::size_t victim) {
  const flock::MemberId id = cluster_.flock(victim).self();
  auto statement = flock::Signer(cluster_.identity(node_), ScopeOf(cluster_.charter().bloc))
                       .Sign(flock::StatementKind::kLeaves, id, 1, {});
  if (random_.Chance(0.5)) {
    std::ranges::copy(cluster_.flock(victim).public_key(), statement.begin() + 2 + 12 + 4);
  }
  SendStatement(statement);
}

void Insider::SayReplaced(std::size_t victim) {
  flock::Record record = RecordOf(victim);
  record.id.boot = random_.Next() | 1;
  ++record.incarnation;
  SendRecord(record);
}

void Insider::InventMembers() {
  std::array<flock::Record, kGhosts> records;
  std::size_t count = 0;
  for (Ghost& ghost : ghosts_) {
    // It refutes in their name, too.
    if (random_.Chance(0.5)) ++ghost.incarnation;
    records[count++] = RecordOf(ghost);
  }
  if (count == 0) return;
  flock::Writer body = Begin();
  AppendRecords(std::span(records).first(count), body);
  SendToAll(body);
}

void Insider::AccuseByHearsay(std::size_t victim) {
  flock::NewsItem item;
  item.record = RecordOf(victim);
  item.record.state = flock::MemberState::kSuspect;
  if (random_.Chance(0.5)) item.check = CheckOf(item.record);
  item.accuser_count = 3;
  for (std::uint32_t& accuser : item.accusers) accuser = cluster_.slot(AnyHonest());
  flock::Writer body = Begin();
  AppendNews(std::span(&item, 1), body);
  SendToAll(body);
}

void Insider::SayDead(std::size_t victim) {
  flock::Record record = RecordOf(victim);
  record.state = random_.Chance(0.5) ? flock::MemberState::kDead : flock::MemberState::kLeft;
  record.incarnation += static_cast<std::uint32_t>(random_.Below(3));
  SendRecord(record);
}

void Insider::SayAbsurd(std::size_t victim) {
  flock::Record record = RecordOf(victim);
  constexpr std::uint32_t kAbsurd[] = {1U << 16, 1U << 30, (1U << 31) - 1, 0xffffffffU};
  record.incarnation = kAbsurd[random_.Below(4)];
  if (random_.Chance(0.3)) record.id.boot = random_.Next() | 1;
  if (random_.Chance(0.5)) record.state = flock::MemberState::kDead;
  if (random_.Chance(0.3)) record.fingerprint = random_.Next();
  SendRecord(record);
}

void Insider::SendToPairs(const std::function<void(std::size_t, flock::Writer&)>& append) {
  for (std::size_t to = 0; to < cluster_.size(); ++to) {
    if (counters_[to] == 0 || to == node_ || !cluster_.up(to) || (patient_ && !fresh_[to]))
      continue;
    fresh_[to] = false;
    const flock::MemberId id = cluster_.flock(to).self();
    if (pair_keys_.Find(id) == nullptr) {
      pair_keys_.Learn(id, cluster_.flock(to).public_key(), cluster_.size());
    }
    flock::Writer body = Begin();
    append(to, body);
    const std::size_t size = body.size();
    const flock::Header header{flock::PacketType::kPair, 0, self_, ++counters_[to]};
    flock::Writer head(draft_);
    Encode(header, head);
    const flock::Destination destination{id, cluster_.charter().ranges.At(id.slot)};
    const std::size_t sealed =
        protection_.Seal(*pair_keys_.Find(id), header, destination, draft_, size);
    if (cluster_.Inject(self_.slot, to, std::span(draft_).first(sealed))) ++lies_;
  }
}

void Insider::SayItLeads(std::uint64_t epoch, std::uint64_t ask) {
  const std::uint64_t digest = ScopeOf(cluster_.charter().Canonical());
  SendToPairs([&](std::size_t to, flock::Writer& body) {
    Append(
        flock::LeaseAsk{
            ask, ++sequence_, answered_[to], digest, epoch, 3000000, {flock::kEpochMax, 1}},
        body);
  });
}

void Insider::TellList(std::uint64_t epoch) {
  const std::uint64_t digest = ScopeOf(cluster_.charter().Canonical());
  SendToPairs([&](std::size_t, flock::Writer& body) {
    std::array<std::uint8_t, 36> bytes{};
    flock::Writer part(bytes);
    part.U64(digest);
    part.U64(epoch);
    part.U32(99);
    part.U32(1);
    part.U32(self_.slot / 64);
    part.U64(std::uint64_t{1} << (self_.slot % 64));
    AppendElectorate(part.written(), body);
  });
}

void Insider::TellKeys(std::uint64_t epoch) {
  SendToPairs([&](std::size_t, flock::Writer& body) {
    Append(flock::SecondaryTell{epoch, 1U << 20, true, told_key_}, body);
  });
}

std::uint32_t Insider::told_key() const { return flock::PacketProtection::TagOf(told_key_); }

void Insider::TakeIdentity(std::size_t victim) {
  flock::Record record = RecordOf(victim);
  ++record.incarnation;
  record.fingerprint = flock::FingerprintOf(cluster_.flock(node_).public_key());
  SendRecord(record);
}

void Insider::LieInPairs() {
  constexpr std::uint64_t kEpochs[] = {1, 3, 1000, 1ULL << 33, flock::kEpochMax, ~0ULL};
  const std::uint64_t epoch = kEpochs[random_.Below(6)];
  switch (random_.Below(3)) {
    case 0:
      return SayItLeads(epoch, epoch);
    case 1:
      return TellList(epoch);
    default:
      return TellKeys(epoch);
  }
}

void Insider::OfferRing() {
  const flock::KeyRing ring(flock::Ranking(0),
                            {flock::KeyRing::kEpochMax, flock::KeyRing::kSerialMax, self_},
                            SeedOf(random_), 60s, cluster_.now());
  false_ring_.resize(flock::KeyRing::kEncodedSizeMax);
  flock::Writer out(false_ring_);
  ring.Encode(out);
  false_ring_.resize(out.size());
  offered_.push_back(ring.current().tag);
  SendToAll(Begin(offered_.back()));
}

void Insider::AnswerHellos() {
  for (const auto& [to, hello] : std::exchange(asked_, {})) {
    if (!cluster_.up(to)) continue;
    flock::Welcome welcome;
    welcome.sender = RecordOf(node_);
    welcome.beat = {welcome.sender.incarnation, flock::Beat::kHearsYou, offered_.back(), 0};
    welcome.counter = ++counters_[to];
    welcome.secondary_keys = {cluster_.secondary_key()};
    welcome.ring = false_ring_;
    const flock::Destination destination{hello.sender,
                                         cluster_.charter().ranges.At(hello.sender.slot)};
    const std::size_t size =
        handshake_.WriteWelcome(hello, welcome, destination, cluster_.now(), draft_);
    if (cluster_.Inject(self_.slot, to, std::span(draft_).first(size))) ++lies_;
  }
}

bool Insider::Offered(std::uint32_t tag) const {
  return std::ranges::find(offered_, tag) != offered_.end();
}

void Insider::Lie() {
  if (key_tag_ == 0) return;
  AnswerHellos();
  const std::size_t victim = AnyHonest();
  switch (random_.Below(11)) {
    case 9:
      return TakeIdentity(victim);
    case 0:
      return AccuseByHearsay(victim);
    case 1:
      return SayDead(victim);
    case 2:
      return InventMembers();
    case 3:
      return SayAbsurd(victim);
    case 4:
      return SayGoodBye(victim);
    case 5:
      return LieInPairs();
    case 6:
      return SayReplaced(victim);
    case 8:
      return OfferRing();
    case 7:
      AccuseSigned(victim);
      return AccuseByGhosts(victim);
    default:
      return AccuseInOthersNames(victim);
  }
}

}  // namespace radix::sim
