#include <algorithm>
#include <bit>

#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

constexpr std::size_t kContendersMax = 64;

bool IsFresh(const Contact& contact, bool pair, std::uint64_t counter) {
  return pair ? contact.pair_window.IsFresh(counter) : contact.window.IsFresh(counter);
}

void Accept(Contact& contact, bool pair, std::uint64_t counter) {
  if (pair) {
    contact.pair_window.Accept(counter);
  } else {
    contact.window.Accept(counter);
  }
}

}  // namespace

void Flock::Node::HandleDatagram(const Endpoint& from, std::span<const std::uint8_t> bytes,
                                 Instant now) {
  now_ = std::max(now_, now);
  ++counters_.received;
  const auto header = DecodeHeader(bytes);
  const auto& charter = config_.charter;
  // Answers go to the slot's address, so nothing may claim the slot of another.
  if (!header || header->sender.slot >= charter.ranges.size() ||
      header->sender.slot == self_.slot || from.port != charter.port ||
      from.ip != charter.ranges.At(header->sender.slot)) {
    ++counters_.dropped_malformed;
    return;
  }
  if (header->type == PacketType::kHello || header->type == PacketType::kTokenHello) {
    HandleHello(*header, bytes, now_);
  } else if (header->type == PacketType::kWelcome) {
    HandleWelcome(*header, bytes, now_);
  } else if (header->type == PacketType::kRetry) {
    HandleRetry(*header, bytes, now_);
  } else {
    HandleSealed(*header, bytes, now_);
  }
}

void Flock::Node::HandleSealed(const Header& header, std::span<const std::uint8_t> bytes,
                               Instant now) {
  const bool pair = header.type == PacketType::kPair;
  MemberTable& table = membership_.table();
  const Member* const known = table.Find(header.sender);
  const bool proven = known != nullptr && IsProven(*known);
  if (proven && !IsFresh(table.ContactOf(*known), pair, header.counter)) {
    ++counters_.dropped_replayed;
    return;
  }
  if (proven && IsBroken(Rule::kAuthenticatesBeforeTheWindow)) {
    Accept(table.Open(*table.Find(header.sender.slot)), pair, header.counter);
  }
  const Key* const key = !pair    ? ring_.Find(header.key_tag, now)
                         : proven ? pair_keys_.Find(header.sender)
                                  : nullptr;
  std::span<const std::uint8_t> opened;
  if (key != nullptr) {
    opened = protection_.Open(*key, header, DestinationOf(self_), bytes, opened_);
  }
  if (opened.empty()) {
    ++counters_.dropped_unauthenticated;
    return;
  }
  const auto body = DecodeBody(opened, pair);
  if (!body) {
    ++counters_.dropped_malformed;
    return;
  }
  Incoming packet{header.sender, header.counter, header.key_tag, proven, *body};
  if (!packet.proven && !Prove(packet, now)) {
    ++counters_.dropped_unproven;
    AnswerUnproven(packet, now);
    return;
  }
  // What was sent before the datagram that proved the sender, but came after it, must itself show
  // that it is of this time: whether it came before, in an earlier acquaintance, is not known.
  Contact& contact = table.Open(*table.Find(header.sender));
  if (!pair && !contact.window.IsSure(header.counter) &&
      !(body->ack && tokens_.IsValid(body->ack->token, header.sender, now))) {
    ++counters_.dropped_replayed;
    return;
  }
  Accept(contact, pair, header.counter);
  ++counters_.accepted;
  last_authentic_ = now;
  away_since_ = kNever;
  HandleProven(packet, pair, now);
}

bool Flock::Node::Prove(Incoming& packet, Instant now) {
  const Body& body = packet.body;
  if (!body.ack || !tokens_.IsValid(body.ack->token, packet.sender, now)) return false;
  // A late copy of an earlier boot's proof.
  if (membership_.table().WasSeen(packet.sender, packet.counter)) return false;
  // Its record comes with the answer to the ping that asked for it, or is known from hearsay.
  std::optional<Record> record;
  if (const Member* const known = membership_.table().Find(packet.sender)) record = known->record();
  Reader in(body.records);
  while (in.left() > 0) {
    const Record told = DecodeRecord(in);
    if (told.id == packet.sender) record = told;
  }
  if (!record) return false;
  record->state = MemberState::kAlive;
  record->incarnation = body.beat.incarnation;
  Member* const member = membership_.Prove(*record, now);
  if (member == nullptr) return false;
  membership_.table().Acquaint(*member, packet.counter);
  packet.proven = true;
  return true;
}

bool Flock::Node::AnswerPing(const Incoming& packet, Instant now) {
  const auto& ping = packet.body.ping;
  if (!ping || (packet.proven && (ping->flags & Ping::kForTheDoor) != 0)) return false;
  Writer body = BeginAnswer(packet, now);
  const auto& key_tell = packet.body.key_tell;
  if (packet.proven && key_tell && key_tell->wants_yours && pair_keys_.Find(packet.sender)) {
    Append(KeyTell{false, pair_keys_.public_key()}, body);
  }
  if (!packet.proven) {
    // Another boot of its slot is held for later than it: it should know, and top it.
    const Member* const held = membership_.table().Find(packet.sender.slot);
    if (held != nullptr && held->boot != packet.sender.boot) {
      const NewsItem item = membership_.ItemFor(packet.sender.slot);
      AppendNews(std::span(&item, 1), body);
    }
  } else {
    AppendNewsTo(body, packet.sender, kNewsOnOthers);
  }
  SendGroup(packet.sender, body, now, packet.proven ? 0 : packet.key_tag);
  return true;
}

void Flock::Node::AnswerUnproven(const Incoming& packet, Instant now) {
  if (leaving_) return;
  if (SendWords(packet, now)) return;
  // Whatever it wants: it first has to show that it is there now.
  if (AnswerPing(packet, now) || packet.body.ack) return;
  Writer body = BeginAnswer(packet, now);
  SendGroup(packet.sender, body, now, packet.key_tag);
}

void Flock::Node::HandleBeat(Member& member, const Incoming& packet, Instant now) {
  const Beat& beat = packet.body.beat;
  Contact& contact = membership_.table().Open(member);
  contact.heard_at = now;
  contact.ring_tag = beat.ring_tag;
  contact.beat_flags = beat.flags;
  contact.view = static_cast<std::uint16_t>(beat.view_hash);
  if ((beat.flags & Beat::kHearsYou) != 0) contact.hears_us_at = now;
  if ((beat.flags & Beat::kCountsQuorum) != 0 && contenders_.size() < kContendersMax &&
      std::ranges::count(contenders_, member.slot) == 0) {
    contenders_.push_back(member.slot);
  }
  if (beat.view_hash == membership_.table().view_hash()) {
    membership_.news().HeardSameView();
  } else {
    differed_at_ = now;
  }
  if (beat.ring_tag == ring_.current().tag) {
    has_own_ring_ = false;
  } else if (has_own_ring_ || ring_.Find(beat.ring_tag, now) == nullptr) {
    AskForRing(packet, now);
  }
}

void Flock::Node::HandleProven(const Incoming& packet, bool pair, Instant now) {
  const Body& body = packet.body;
  Member* member = membership_.table().Find(packet.sender);
  HandleBeat(*member, packet, now);
  const bool proves = body.ack && tokens_.IsValid(body.ack->token, packet.sender, now);
  if (proves) {
    membership_.table().Open(*member).hears_us_at = now;
    if (const auto report = prober_.HandleAck(packet.sender, body.ack->sequence)) {
      Writer out = Begin(report->target, now);
      Append(PingReport{report->sequence, true}, out);
      SendGroup(report->target, out, now);
    }
  }
  if (!membership_.MergeDirect(*member, body.beat.incarnation, proves, now)) {
    SendPing(packet.sender, prober_.NextSequence(), now, membership_.ItemFor(packet.sender.slot));
  }
  HandleStatements(packet, now);
  if (!body.statements.empty() && !IsLive(member->state)) return;  // it left
  HandleMemberNews(packet, now);
  if (leaving_) return;
  HandleKeyTell(packet, now);
  // Whatever is sent about differences answers the ping as well, but brings no key.
  const bool answered = SendWords(packet, now) || SendDifferences(packet, now);
  if (!answered || body.key_tell) AnswerPing(packet, now);
  // Nobody who is honest asks it to reach itself.
  if (body.ping_request && body.ping_request->target.slot < config_.charter.ranges.size() &&
      body.ping_request->target.slot != self_.slot) {
    prober_.HandleRequest(packet.sender, body.ping_request->target, body.ping_request->sequence,
                          now);
    TickProber(now);
  }
  if (body.ping_report)
    prober_.HandleReport(body.ping_report->sequence, body.ping_report->answered);
  HandleIntroductions(packet, now);
  if (pair && IsRevoked(packet.sender)) {
    HandleRevoked(packet, now);
  } else if (pair) {
    HandleElectorate(packet, now);
    HandleLeaseMessages(packet, now);
    HandleRing(packet, now);
    HandleSecondary(packet, now);
  }
  SendTells(now);
}

void Flock::Node::HandleMemberNews(const Incoming& packet, Instant now) {
  std::vector<NewsItem> items;
  Reader news(packet.body.news);
  while (news.left() > 0) {
    const auto item = DecodeNewsItem(news);
    if (!item) break;  // DecodeBody has seen to it
    items.push_back(*item);
  }
  const std::size_t news_count = items.size();
  Reader records(packet.body.records);
  while (records.left() > 0) items.emplace_back().record = DecodeRecord(records);

  const MemberTable& table = membership_.table();
  for (const NewsItem& item : items) table.PrefetchIndex(item.record.id.slot);
  for (const NewsItem& item : items) table.PrefetchMember(item.record.id.slot);
  for (std::size_t i = 0; i < items.size(); ++i) {
    membership_.MergeHearsay(items[i], packet.sender, i >= news_count && !IsSmall(), now);
  }
}

void Flock::Node::HandleIntroductions(const Incoming& packet, Instant now) {
  if (packet.body.introduction_ask) {
    Writer body = Begin(packet.sender, now);
    AppendIntroduction(config_.introduction, body);
    SendGroup(packet.sender, body, now);
  }
  const auto& told = packet.body.introduction;
  if (told && introductions_.HandleAnswer(packet.sender)) {
    events_.push_back({EventKind::kIntroduced,
                       Evidence::kOwnWord,
                       now,
                       packet.sender,
                       packet.sender,
                       0,
                       0,
                       {told->begin(), told->end()}});
  }
}

}  // namespace radix::flock
