#include "services/flock/packet_codec.h"

#include <bit>

#include "services/flock/statement.h"

namespace radix::flock {
namespace {

constexpr std::uint16_t kMagic = 0x7852;  // "Rx"
constexpr std::uint8_t kVersion = 6;

enum class MessageType : std::uint8_t {
  kPing = 1,
  kAck,
  kPingRequest,
  kPingReport,
  kSummary,
  kWords,
  kRecords,
  kNews,
  kKeyTell,
  kIntroductionAsk,
  kIntroduction,
  kStatements,
  kLeaseAsk,
  kLeaseGrant,
  kLeaseRefusal,
  kGiveBack,
  kRing,
  kRingAck,
  kElectorate,
  kSecondary,
  kSecondaryAck,
  kKeyOrder,
  kKeyReport,
};

// Writes the type and the length of what `write` appends.
template <typename Write>
void Message(MessageType type, Writer& out, const Write& write) {
  const std::size_t start = out.size();
  out.U8(static_cast<std::uint8_t>(type));
  out.U16(0);
  write();
  if (!out.ok()) return;
  const std::size_t length = out.size() - start - kMessageOverhead;
  out.Set(start + 1, static_cast<std::uint8_t>(length));
  out.Set(start + 2, static_cast<std::uint8_t>(length >> 8));
}

// Fixed-size items back to back, each of them valid.
template <typename Decode>
bool ValidItems(std::span<const std::uint8_t> bytes, std::size_t size, const Decode& decode) {
  if (bytes.empty() || bytes.size() % size != 0) return false;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    Reader item(bytes.subspan(at, size));
    if (!decode(item)) return false;
  }
  return true;
}

bool ValidRecord(Reader& in) {
  const Record record = DecodeRecord(in);
  return in.ok() && record.id.boot != 0 && record.state <= MemberState::kLeft;
}

bool ValidNews(std::span<const std::uint8_t> bytes) {
  Reader in(bytes);
  do {
    if (!DecodeNewsItem(in)) return false;
  } while (in.left() > 0);
  return true;
}

bool ValidStatements(std::span<const std::uint8_t> bytes) {
  do {
    const auto statement = DecodeStatement(bytes);
    if (!statement) return false;
    bytes = bytes.subspan(statement->bytes.size());
  } while (!bytes.empty());
  return true;
}

// The first byte of a news item: two bits each for the state and the number of accusers.
constexpr std::uint8_t kBrief = 16;

bool DecodeMember(MessageType type, Reader& in, Body& body) {
  switch (type) {
    case MessageType::kPing: {
      const std::uint64_t token = in.U64();
      const std::uint32_t sequence = in.U32();
      body.ping = Ping{token, sequence, in.U8()};
      return true;
    }
    case MessageType::kAck: {
      const std::uint64_t token = in.U64();
      body.ack = Ack{token, in.U32()};
      return true;
    }
    case MessageType::kPingRequest: {
      const MemberId target = in.Id();
      body.ping_request = PingRequest{target, in.U32()};
      return true;
    }
    case MessageType::kPingReport: {
      const std::uint32_t sequence = in.U32();
      body.ping_report = PingReport{sequence, in.U8() != 0};
      return true;
    }
    case MessageType::kSummary: {
      const std::uint16_t first = in.U16();
      body.summary = Summary{first, in.Bytes(in.left())};
      return !body.summary->hashes.empty() && body.summary->hashes.size() % 4 == 0;
    }
    case MessageType::kWords: {
      const std::uint16_t group = in.U16();
      const bool reply = in.U8() != 0;
      const std::uint8_t eighths = in.U8();
      std::uint64_t present = 0;
      if (eighths > 8) return false;
      for (int i = 0; i < eighths; ++i) present |= std::uint64_t{in.U8()} << 8 * i;
      body.words = Words{group, reply, present, in.Bytes(in.left())};
      return body.words->words.size() ==
             kWordBytes * static_cast<std::size_t>(std::popcount(present));
    }
    case MessageType::kRecords:
      body.records = in.Bytes(in.left());
      return ValidItems(body.records, kRecordSize, ValidRecord);
    case MessageType::kNews:
      body.news = in.Bytes(in.left());
      return ValidNews(body.news);
    case MessageType::kKeyTell: {
      const bool wants = in.U8() != 0;
      body.key_tell = KeyTell{wants, in.ReadKey()};
      return true;
    }
    case MessageType::kIntroductionAsk:
      body.introduction_ask = true;
      return true;
    case MessageType::kIntroduction:
      body.introduction = in.Bytes(in.left());
      return body.introduction->size() <= kIntroductionSizeMax;
    case MessageType::kStatements:
      body.statements = in.Bytes(in.left());
      return ValidStatements(body.statements);
    default:
      return false;
  }
}

ElectorateVersion DecodeVersion(Reader& in) {
  const std::uint64_t epoch = in.U64();
  return {epoch, in.U32()};
}

void EncodeVersion(const ElectorateVersion& version, Writer& out) {
  out.U64(version.epoch);
  out.U32(version.serial);
}

bool DecodePair(MessageType type, Reader& in, Body& body) {
  switch (type) {
    case MessageType::kLeaseAsk: {
      LeaseAsk ask;
      ask.epoch = in.U64();
      ask.sequence = in.U32();
      ask.echo = in.U64();
      ask.charter_digest = in.U64();
      ask.sealed_epoch = in.U64();
      ask.sealed_for_usec = in.U32();
      ask.electorate = DecodeVersion(in);
      body.ask = ask;
      return ask.epoch != 0 && ask.epoch <= kEpochMax && ask.sealed_epoch <= kEpochMax &&
             ask.electorate.epoch <= kEpochMax;
    }
    case MessageType::kLeaseGrant: {
      LeaseGrant grant;
      grant.epoch = in.U64();
      grant.sequence = in.U32();
      grant.answer = in.U64();
      grant.electorate = DecodeVersion(in);
      body.grant = grant;
      return grant.epoch != 0 && grant.epoch <= kEpochMax && grant.answer != 0 &&
             grant.electorate.epoch <= kEpochMax;
    }
    case MessageType::kLeaseRefusal: {
      LeaseRefusal refusal;
      refusal.sequence = in.U32();
      refusal.reason = static_cast<RefusalReason>(in.U8());
      refusal.promised_epoch = in.U64();
      refusal.retry_after_usec = in.U32();
      refusal.electorate = DecodeVersion(in);
      body.refusal = refusal;
      return refusal.reason >= RefusalReason::kBooting &&
             refusal.reason <= RefusalReason::kRevoked && refusal.promised_epoch <= kEpochMax &&
             refusal.electorate.epoch <= kEpochMax;
    }
    case MessageType::kGiveBack:
      body.give_back = GiveBack{in.U64()};
      return body.give_back->epoch <= kEpochMax;
    case MessageType::kRing:
      body.ring = in.Bytes(in.left());
      return !body.ring.empty();
    case MessageType::kRingAck:
      body.ring_ack = in.U32();
      return true;
    case MessageType::kElectorate:
      body.electorate = in.Bytes(in.left());
      return !body.electorate.empty();
    case MessageType::kSecondary:
      body.secondary = DecodeSecondaryTell(in);
      return body.secondary.has_value();
    case MessageType::kSecondaryAck:
      body.secondary_ack = in.U32();
      return true;
    case MessageType::kKeyOrder:
      body.key_order = DecodeKeyOrderTell(in);
      return body.key_order.has_value();
    case MessageType::kKeyReport:
      body.key_report = DecodeKeyReportTell(in);
      return body.key_report.has_value();
    default:
      return false;
  }
}

}  // namespace

void Encode(const Header& header, Writer& out) {
  out.U16(kMagic);
  out.U8(kVersion);
  out.U8(static_cast<std::uint8_t>(header.type));
  out.U32(header.key_tag);
  out.Id(header.sender);
  out.U64(header.counter);
}

std::optional<Header> DecodeHeader(std::span<const std::uint8_t> datagram) {
  if (datagram.size() < kHeaderSize + kTagSize || datagram.size() > kDatagramSizeMax) {
    return std::nullopt;
  }
  Reader in(datagram);
  if (in.U16() != kMagic || in.U8() != kVersion) return std::nullopt;
  Header header;
  header.type = static_cast<PacketType>(in.U8());
  if (header.type < PacketType::kHello || header.type > PacketType::kPair) return std::nullopt;
  header.key_tag = in.U32();
  header.sender = in.Id();
  header.counter = in.U64();
  if (header.sender.boot == 0 || header.counter == 0) return std::nullopt;
  return header;
}

void Encode(const Record& record, Writer& out) {
  out.Id(record.id);
  out.U32(record.incarnation);
  out.U8(static_cast<std::uint8_t>(record.state));
  out.U64(record.fingerprint);
}

Record DecodeRecord(Reader& in) {
  Record record;
  record.id = in.Id();
  record.incarnation = in.U32();
  record.state = static_cast<MemberState>(in.U8());
  record.fingerprint = in.U64();
  return record;
}

std::uint32_t CheckOf(const Record& record) {
  std::uint64_t z = record.id.boot + record.incarnation * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z ^= z >> 32;
  return static_cast<std::uint32_t>(z) | 1;
}

std::size_t SizeOf(const NewsItem& item) {
  return (item.check != 0 ? 1 + 4 + 4 : kRecordSize) + std::size_t{4} * item.accuser_count;
}

void Encode(const NewsItem& item, Writer& out) {
  const Record& record = item.record;
  const bool brief = item.check != 0;
  out.U8(static_cast<std::uint8_t>(static_cast<int>(record.state) | item.accuser_count << 2 |
                                   (brief ? kBrief : 0)));
  out.U32(record.id.slot);
  if (brief) {
    out.U32(item.check);
  } else {
    out.U64(record.id.boot);
    out.U32(record.incarnation);
    out.U64(record.fingerprint);
  }
  for (std::size_t i = 0; i < item.accuser_count; ++i) out.U32(item.accusers[i]);
}

std::optional<NewsItem> DecodeNewsItem(Reader& in) {
  NewsItem item;
  const std::uint8_t first = in.U8();
  const bool brief = (first & kBrief) != 0;
  item.record.state = static_cast<MemberState>(first & 3);
  item.accuser_count = first >> 2 & 3;
  item.record.id.slot = in.U32();
  if (brief) {
    item.check = in.U32();
  } else {
    item.record.id.boot = in.U64();
    item.record.incarnation = in.U32();
    item.record.fingerprint = in.U64();
  }
  for (std::size_t i = 0; i < item.accuser_count; ++i) item.accusers[i] = in.U32();
  const bool valid = brief ? item.check != 0 && item.record.state == MemberState::kSuspect
                           : item.record.id.boot != 0;
  if (!in.ok() || !valid || first > (kBrief | 15)) return std::nullopt;
  return item;
}

void Encode(const Beat& beat, Writer& out) {
  out.U32(beat.incarnation);
  out.U8(beat.flags);
  out.U32(beat.ring_tag);
  out.U64(beat.view_hash);
}

std::optional<Body> DecodeBody(std::span<const std::uint8_t> bytes, bool pair) {
  Reader in(bytes);
  Body body;
  body.beat.incarnation = in.U32();
  body.beat.flags = in.U8();
  body.beat.ring_tag = in.U32();
  body.beat.view_hash = in.U64();
  std::uint32_t seen = 0;
  while (in.ok() && in.left() > 0) {
    const std::uint8_t type = in.U8();
    const std::size_t length = in.U16();
    Reader message(in.Bytes(length));
    if (!in.ok() || type >= 32 || (seen & (1U << type)) != 0) return std::nullopt;
    seen |= 1U << type;
    const auto kind = static_cast<MessageType>(type);
    const bool decoded =
        DecodeMember(kind, message, body) ||
        (pair && kind >= MessageType::kLeaseAsk && DecodePair(kind, message, body));
    if (!decoded || !message.ok() || message.left() > 0) return std::nullopt;
  }
  if (!in.ok()) return std::nullopt;
  return body;
}

void Append(const Ping& message, Writer& out) {
  Message(MessageType::kPing, out, [&] {
    out.U64(message.token);
    out.U32(message.sequence);
    out.U8(message.flags);
  });
}

void Append(const Ack& message, Writer& out) {
  Message(MessageType::kAck, out, [&] {
    out.U64(message.token);
    out.U32(message.sequence);
  });
}

void Append(const PingRequest& message, Writer& out) {
  Message(MessageType::kPingRequest, out, [&] {
    out.Id(message.target);
    out.U32(message.sequence);
  });
}

void Append(const PingReport& message, Writer& out) {
  Message(MessageType::kPingReport, out, [&] {
    out.U32(message.sequence);
    out.U8(message.answered ? 1 : 0);
  });
}

void Append(const Summary& message, Writer& out) {
  Message(MessageType::kSummary, out, [&] {
    out.U16(message.first_group);
    out.Bytes(message.hashes);
  });
}

void Append(const Words& message, Writer& out) {
  Message(MessageType::kWords, out, [&] {
    out.U16(message.group);
    out.U8(message.reply ? 1 : 0);
    const auto eighths = static_cast<int>((std::bit_width(message.present) + 7) / 8);
    out.U8(static_cast<std::uint8_t>(eighths));
    for (int i = 0; i < eighths; ++i) out.U8(static_cast<std::uint8_t>(message.present >> 8 * i));
    out.Bytes(message.words);
  });
}

void Append(const KeyTell& message, Writer& out) {
  Message(MessageType::kKeyTell, out, [&] {
    out.U8(message.wants_yours ? 1 : 0);
    out.Bytes(message.public_key);
  });
}

void Append(const LeaseAsk& message, Writer& out) {
  Message(MessageType::kLeaseAsk, out, [&] {
    out.U64(message.epoch);
    out.U32(message.sequence);
    out.U64(message.echo);
    out.U64(message.charter_digest);
    out.U64(message.sealed_epoch);
    out.U32(message.sealed_for_usec);
    EncodeVersion(message.electorate, out);
  });
}

void Append(const LeaseGrant& message, Writer& out) {
  Message(MessageType::kLeaseGrant, out, [&] {
    out.U64(message.epoch);
    out.U32(message.sequence);
    out.U64(message.answer);
    EncodeVersion(message.electorate, out);
  });
}

void Append(const LeaseRefusal& message, Writer& out) {
  Message(MessageType::kLeaseRefusal, out, [&] {
    out.U32(message.sequence);
    out.U8(static_cast<std::uint8_t>(message.reason));
    out.U64(message.promised_epoch);
    out.U32(message.retry_after_usec);
    EncodeVersion(message.electorate, out);
  });
}

void Append(const GiveBack& message, Writer& out) {
  Message(MessageType::kGiveBack, out, [&] { out.U64(message.epoch); });
}

void AppendRecords(std::span<const Record> records, Writer& out) {
  Message(MessageType::kRecords, out, [&] {
    for (const Record& record : records) Encode(record, out);
  });
}

void AppendNews(std::span<const NewsItem> items, Writer& out) {
  Message(MessageType::kNews, out, [&] {
    for (const NewsItem& item : items) Encode(item, out);
  });
}

void AppendIntroductionAsk(Writer& out) {
  Message(MessageType::kIntroductionAsk, out, [] {});
}

void AppendIntroduction(std::span<const std::uint8_t> bytes, Writer& out) {
  Message(MessageType::kIntroduction, out, [&] { out.Bytes(bytes); });
}

void AppendStatements(std::span<const std::uint8_t> statements, Writer& out) {
  Message(MessageType::kStatements, out, [&] { out.Bytes(statements); });
}

void AppendRing(std::span<const std::uint8_t> ring, Writer& out) {
  Message(MessageType::kRing, out, [&] { out.Bytes(ring); });
}

void AppendRingAck(std::uint32_t tag, Writer& out) {
  Message(MessageType::kRingAck, out, [&] { out.U32(tag); });
}

void AppendElectorate(std::span<const std::uint8_t> part, Writer& out) {
  Message(MessageType::kElectorate, out, [&] { out.Bytes(part); });
}

void Append(const SecondaryTell& message, Writer& out) {
  Message(MessageType::kSecondary, out, [&] { Encode(message, out); });
}

void AppendSecondaryAck(std::uint32_t version, Writer& out) {
  Message(MessageType::kSecondaryAck, out, [&] { out.U32(version); });
}

void Append(const KeyOrderTell& message, Writer& out) {
  Message(MessageType::kKeyOrder, out, [&] { Encode(message, out); });
}

void Append(const KeyReportTell& message, Writer& out) {
  Message(MessageType::kKeyReport, out, [&] { Encode(message, out); });
}

}  // namespace radix::flock
