#include <algorithm>
#include <vector>

#include "services/flock/node.h"

namespace radix::flock {
namespace {

// What is found within this goes into one statement.
constexpr Duration kSigningInterval = 150ms;
// But not when it is full.
constexpr Duration kFullInterval = 20ms;
constexpr Duration kTellingInterval = 60ms;
// Told at a time: to three, or more when there is more than fits.
constexpr std::size_t kToldLeast = 3;
constexpr std::size_t kToldMost = 10;
constexpr int kGoodByes = 64;

}  // namespace

void Flock::Node::SignAccusations(Instant now) {
  if (membership_.suspicions().next_signature() > now || now < next_signing_) return;
  const auto accused = membership_.TakeAccusations(now);
  next_signing_ =
      now + (accused.size() == Statement::kAccusedMax ? kFullInterval : kSigningInterval);
  if (accused.empty()) return;
  const auto bytes =
      signer_.Sign(StatementKind::kAccuses, self_, membership_.self().incarnation, accused);
  statements_.Add(*DecodeStatement(bytes), membership_.table().live_count());
  next_statements_ = now;
}

void Flock::Node::TickStatements(Instant now) {
  SignAccusations(now);
  if (now < next_statements_ || statements_.empty()) return;
  next_statements_ = now + random_.Between(kTellingInterval * 3 / 4, kTellingInterval * 5 / 4);
  const std::size_t packets =
      std::clamp<std::size_t>(statements_.bytes() / 1000, kToldLeast, kToldMost);
  for (std::size_t i = 0; i < packets && !statements_.empty(); ++i) {
    const Member* const peer = RandomContact();
    if (peer == nullptr) return;
    Writer body = Begin(peer->id(), now);
    std::vector<std::uint8_t> told;
    statements_.Take(body.room() - kMessageOverhead, told);
    AppendStatements(told, body);
    SendGroup(peer->id(), body, now);
  }
}

void Flock::Node::HandleStatements(const Incoming& packet, Instant now) {
  std::span<const std::uint8_t> bytes = packet.body.statements;
  while (!bytes.empty()) {
    const auto statement = DecodeStatement(bytes);
    if (!statement) return;  // DecodeBody has seen to it
    bytes = bytes.subspan(statement->bytes.size());
    if (statements_.HeardAgain(*statement) || !membership_.Wants(*statement) ||
        !statements_.MayVerify(packet.sender.slot, now)) {
      continue;
    }
    ++counters_.verified;
    if (!IsSigned(*statement, signer_.scope())) {
      statements_.NoteForger(packet.sender.slot, now);
      return;
    }
    membership_.Merge(*statement, packet.sender, now);
    if (statement->kind != StatementKind::kHoldsDead) {
      statements_.Add(*statement, membership_.table().live_count());
    }
  }
}

void Flock::Node::SendHeldDead(const MemberId& to, std::span<const std::uint32_t> slots,
                               Instant now) {
  std::vector<Accused> dead;
  for (const std::uint32_t slot : slots) {
    const auto held = membership_.HeldDead(slot);
    if (held && slot != to.slot && dead.size() < Statement::kAccusedMax) dead.push_back(*held);
  }
  if (dead.empty() || !held_dead_pace_.Take(now)) return;
  Writer body = Begin(to, now);
  AppendStatements(
      signer_.Sign(StatementKind::kHoldsDead, self_, membership_.self().incarnation, dead), body);
  SendGroup(to, body, now);
}

void Flock::Node::SendGoodByes(Instant now) {
  const auto good_bye =
      signer_.Sign(StatementKind::kLeaves, self_, membership_.self().incarnation, {});
  const MemberTable& table = membership_.table();
  const std::size_t start = random_.Below(table.size());
  int sent = 0;
  for (std::size_t i = 0; i < table.size() && sent < kGoodByes; ++i) {
    const Member& member = table.at((start + i) % table.size());
    if (!IsLive(member.state) || member.slot == self_.slot) continue;
    const MemberId to = member.id();
    Writer body = Begin(to, now);
    AppendStatements(good_bye, body);
    SendGroup(to, body, now);
    ++sent;
  }
}

}  // namespace radix::flock
