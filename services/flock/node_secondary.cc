#include <algorithm>
#include <utility>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

// A node that authenticates nothing for so long, though it knew others, says so; and again from
// time to time. Longer than what heals by itself.
constexpr Duration kShutOutAfter = 30s;
constexpr Duration kShutOutAgain = 10min;
// The leader tells them twice a second.
constexpr Duration kForeignKeysAgain = 10min;

}  // namespace

void Flock::Node::TickSecondary(Instant now) {
  FollowLeadership(now);
  for (const MemberId& member : rotation_.TakeBehind(secondary_, now)) {
    const Member* const known = membership_.table().Find(member);
    if (known != nullptr && IsLive(known->state) && !IsRevoked(member)) TellSecondary(member, now);
  }
  for (const KeyOrders::Waiting& waiting : key_orders_.Due(now)) SendOrder(waiting, now);
  NoticeShutOut(now);
}

void Flock::Node::FollowLeadership(Instant now) {
  rotation_.Lead(candidacy_.sealed_until(now) ? candidacy_.sealed_epoch() : 0);
  if (rotation_.epoch() != 0) rotation_.HandleAck(self_, secondary_stored_, secondary_, now);
}

void Flock::Node::TellSecondary(const MemberId& to, Instant now) {
  std::array<std::uint8_t, kSecondaryKeysMax * sizeof(Key)> bytes;
  Writer keys(bytes);
  for (const Key& key : secondary_.keys()) keys.Bytes(key);
  Writer body = Begin(to, now);
  Append(
      SecondaryTell{rotation_.epoch(), rotation_.revision(), rotation_.settled(), keys.written()},
      body);
  SendPair(to, body);
}

void Flock::Node::HandleSecondary(const Incoming& packet, Instant now) {
  const Body& body = packet.body;
  FollowLeadership(now);
  if (body.secondary) {
    if (rotation_.epoch() != 0) {
      TakeFromMember(packet.sender, *body.secondary, now);
    } else {
      TakeFromLeader(packet.sender, *body.secondary, now);
    }
  }
  if (body.secondary_ack && electorate_.HasVote(packet.sender.slot)) {
    rotation_.HandleAck(packet.sender, *body.secondary_ack, secondary_, now);
  }
  if (body.key_order) {
    const KeyReport report = Execute(body.key_order->order, now);
    Writer out = Begin(packet.sender, now);
    Append(KeyReportTell{body.key_order->id, report, {}}, out);
    SendPair(packet.sender, out);
  }
  if (body.key_report) {
    key_orders_.HandleReport(body.key_report->id, packet.sender,
                             ToReport(*body.key_report, packet.sender));
  }
}

// Somebody has what an earlier leader ordered and this one missed. If a key that is not known here
// is in use there already, two have to say so, since one may lie.
void Flock::Node::TakeFromMember(const MemberId& member, const SecondaryTell& tell, Instant now) {
  if (rotation_.settled() || !rotation_.Follows(member)) return;
  const SecondaryRing theirs(tell.Keys());
  if (!IsLater(theirs, secondary_)) return;
  const bool next_phase = secondary_.Find(theirs.current().tag) != nullptr &&
                          theirs.Find(secondary_.current().tag) != nullptr;
  const std::size_t needed = std::clamp<std::size_t>(config_.charter.quorum - 1, 1, 2);
  if (!next_phase && rotation_.CountOf(theirs.version()) < needed) return;
  TakeSecondary(theirs, member, rotation_.epoch(), now);
}

void Flock::Node::TakeFromLeader(const MemberId& leader, const SecondaryTell& tell, Instant now) {
  const auto grant = granter_.grant(now);
  const std::pair order(tell.epoch, tell.revision);
  if (!grant || grant->promise.holder != leader || tell.epoch > grant->promise.epoch ||
      order < secondary_order_) {
    return;
  }
  const SecondaryRing theirs(tell.Keys());
  if (theirs.version() != secondary_.version()) {
    if (!tell.settled && IsLater(secondary_, theirs)) {
      secondary_order_ = order;
      TellSecondary(leader, now);
      return;
    }
    // A rotation keeps the key from which it goes on. So what comes after ours knows it, and
    // whoever leads cannot replace all keys at once.
    if (theirs.Find(secondary_.current().tag) == nullptr &&
        !IsBroken(Rule::kLaterKeysKnowTheEarlier)) {
      RefuseForeignKeys(leader, now);
      return;
    }
    TakeSecondary(theirs, leader, tell.epoch, now);
  }
  secondary_order_ = order;
  if (secondary_stored_ == secondary_.version()) AcknowledgeSecondary(leader, now);
}

void Flock::Node::RefuseForeignKeys(const MemberId& leader, Instant now) {
  if (now - foreign_keys_told_ < kForeignKeysAgain) return;
  foreign_keys_told_ = now;
  Emit(EventKind::kAlarm, Evidence::kForeignKeys, leader, self_, 0, secondary_.current().tag, now);
}

void Flock::Node::TakeSecondary(const SecondaryRing& ring, const MemberId& from,
                                std::uint64_t epoch, Instant now) {
  Evidence evidence = Evidence::kKeyRemoved;
  if (ring.next() && !secondary_.next()) evidence = Evidence::kKeyInstalled;
  if (ring.current().tag != secondary_.current().tag) evidence = Evidence::kKeyUsed;
  secondary_ = ring;
  if (!config_.has_key_file || IsBroken(Rule::kAcknowledgesItsKeyFile)) {
    secondary_stored_ = secondary_.version();
  }
  Emit(EventKind::kSecondaryChanged, evidence, self_, from, epoch, secondary_.current().tag, now);
}

void Flock::Node::AcknowledgeSecondary(const MemberId& leader, Instant now) {
  Writer body = Begin(leader, now);
  AppendSecondaryAck(secondary_stored_, body);
  SendPair(leader, body);
}

std::optional<KeyFile> Flock::Node::PollKeyFile() {
  const std::uint32_t version = secondary_.version();
  if (!config_.has_key_file || version == secondary_stored_ || version == secondary_storing_) {
    return std::nullopt;
  }
  secondary_storing_ = version;
  secondary_stored_ = 0;  // until it is known which of the two it is
  return KeyFile{version, secondary_.keys()};
}

void Flock::Node::HandleKeyFileStored(std::uint32_t version, Instant now) {
  now_ = now = std::max(now_, now);
  secondary_stored_ = version;
  FollowLeadership(now);
  if (leaving_ || version != secondary_.version()) return;
  const auto grant = granter_.grant(now);
  if (!grant || grant->promise.holder == self_ || IsRevoked(grant->promise.holder)) return;
  AcknowledgeSecondary(grant->promise.holder, now);
}

KeyReport Flock::Node::Execute(const KeyOrder& order, Instant now) {
  FollowLeadership(now);
  std::vector<MemberId> live;
  const MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const MemberId id = table.at(i).id();
    if (IsLive(table.at(i).state) && !IsRevoked(id)) live.push_back(id);
  }
  std::ranges::sort(live);
  SecondaryRing ring = secondary_;
  const KeyReport report = rotation_.Execute(order, live, secrets_.NextKey(), ring);
  if (ring.version() != secondary_.version()) TakeSecondary(ring, self_, report.epoch, now);
  return report;
}

std::uint64_t Flock::Node::OrderKeys(const KeyOrder& order, Instant now) {
  now_ = std::max(now_, now);
  return key_orders_.Add(order, now_);
}

void Flock::Node::SendOrder(const KeyOrders::Waiting& waiting, Instant now) {
  const auto leader = KnownLeader(now);
  if (!leader) return;
  key_orders_.HandleSent(waiting.id, leader->leader);
  if (leader->leader == self_) {
    key_orders_.HandleReport(waiting.id, self_, Execute(waiting.order, now));
    return;
  }
  Writer body = Begin(leader->leader, now);
  Append(KeyOrderTell{waiting.id, waiting.order}, body);
  SendPair(leader->leader, body);
}

// Whom it knows, and who did not say good-bye, should answer; or after a boot who was remembered.
bool Flock::Node::MissesSomebody() const {
  const MemberTable& table = membership_.table();
  if (table.size() < 2) return counters_.accepted == 0 && !config_.remembered.empty();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table.at(i).slot != self_.slot && table.at(i).state != MemberState::kLeft) return true;
  }
  return false;
}

// That nobody lets it in shows only in what does not come. The HELLOs of others, under keys that it
// lacks, may be anybody's: they are counted, and nothing follows from them.
void Flock::Node::NoticeShutOut(Instant now) {
  if (counters_.accepted != shut_out_accepted_ || !MissesSomebody()) {
    shut_out_accepted_ = counters_.accepted;
    shut_out_since_ = now;
    return;
  }
  if (now - shut_out_since_ < kShutOutAfter || now - shut_out_told_ < kShutOutAgain) return;
  shut_out_told_ = now;
  Emit(EventKind::kAlarm, Evidence::kShutOut, self_, self_, 0, secondary_.current().tag, now);
}

}  // namespace radix::flock
