// The layout of flock's datagrams: fixed, binary, little-endian.
//
//   header (28)                             | body, sealed                          | tag (16)
//   magic 2, version 1, type 1, key tag 4,  | beat (17), then messages, each of
//   sender slot 4, boot 8, counter 8        | which begins with its type and length |
//
// HELLO, WELCOME and RETRY have bodies of their own: see handshake.h. Nothing here allocates;
// whatever is malformed anywhere in a body makes the whole body invalid, before any of it was acted
// upon.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "services/flock/config.h"
#include "services/flock/key_messages.h"
#include "services/flock/member.h"

namespace radix::flock {

// Writes fields one after another; remembers if something did not fit, and then writes no more.
class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> out) : out_(out) {}

  void U8(std::uint8_t value) { Number(value); }
  void U16(std::uint16_t value) { Number(value); }
  void U32(std::uint32_t value) { Number(value); }
  void U64(std::uint64_t value) { Number(value); }
  void Bytes(std::span<const std::uint8_t> bytes);
  void Id(const MemberId& id) {
    U32(id.slot);
    U64(id.boot);
  }
  // Overwrites a byte written before. Requires: at < size().
  void Set(std::size_t at, std::uint8_t value) { out_[at] = value; }

  std::size_t size() const { return size_; }
  std::size_t room() const { return out_.size() - size_; }
  bool ok() const { return ok_; }
  std::span<const std::uint8_t> written() const { return out_.first(size_); }

 private:
  // Little-endian. Here, so that each width becomes one store: all that is sent passes here.
  template <typename T>
  void Number(T value) {
    ok_ = ok_ && room() >= sizeof(T);
    if (!ok_) return;
    std::uint8_t* const at = out_.data() + size_;
    for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
    size_ += sizeof(T);
  }

  std::span<std::uint8_t> out_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

// Reads fields one after another; zero, and not ok(), once something was missing.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> in) : in_(in) {}

  std::uint8_t U8() { return Number<std::uint8_t>(); }
  std::uint16_t U16() { return Number<std::uint16_t>(); }
  std::uint32_t U32() { return Number<std::uint32_t>(); }
  std::uint64_t U64() { return Number<std::uint64_t>(); }
  std::span<const std::uint8_t> Bytes(std::size_t count);
  Key ReadKey();
  MemberId Id() {
    const std::uint32_t slot = U32();
    return {slot, U64()};
  }

  std::size_t left() const { return in_.size(); }
  bool ok() const { return ok_; }

 private:
  template <typename T>
  T Number() {
    ok_ = ok_ && in_.size() >= sizeof(T);
    if (!ok_) return 0;
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(T{in_[i]} << (8 * i));
    in_ = in_.subspan(sizeof(T));
    return value;
  }

  std::span<const std::uint8_t> in_;
  bool ok_ = true;
};

// Those of the door come first.
enum class PacketType : std::uint8_t { kHello = 1, kRetry, kTokenHello, kWelcome, kGroup, kPair };

// The part that travels in the clear.
struct Header {
  PacketType type = PacketType::kGroup;
  std::uint32_t key_tag = 0;
  MemberId sender;
  std::uint64_t counter = 0;
};
inline constexpr std::size_t kHeaderSize = 28;
inline constexpr std::size_t kTagSize = 16;

void Encode(const Header& header, Writer& out);
// nullopt unless `datagram` begins with a header of this version and can hold a sealed body.
std::optional<Header> DecodeHeader(std::span<const std::uint8_t> datagram);

// What a member is known by: 25 bytes on the wire.
struct Record {
  MemberId id;
  std::uint32_t incarnation = 0;
  MemberState state = MemberState::kAlive;
  std::uint64_t fingerprint = 0;  // of its Ed25519 public key
};
inline constexpr std::size_t kRecordSize = 25;
void Encode(const Record& record, Writer& out);
Record DecodeRecord(Reader& in);

// What the sender says of itself in every packet.
struct Beat {
  static constexpr std::uint8_t kCountsQuorum = 1;  // and does not step behind
  static constexpr std::uint8_t kStanding = 2;
  static constexpr std::uint8_t kHearsYou = 4;  // heard the receiver within the contact time-out
  static constexpr std::uint8_t kLeaving = 8;

  std::uint32_t incarnation = 0;
  std::uint8_t flags = 0;
  std::uint32_t ring_tag = 0;   // the transient key that it would use by itself
  std::uint64_t view_hash = 0;  // of its live members
};

struct Ping {
  static constexpr std::uint8_t kIntroduceYourself = 1;  // answer with your own record
  static constexpr std::uint8_t kForTheDoor = 2;  // its token is for a HELLO; no ack is wanted

  std::uint64_t token = 0;  // only its author can tell whether it is his, and for whom
  std::uint32_t sequence = 0;
  std::uint8_t flags = 0;
};
struct Ack {
  std::uint64_t token = 0;
  std::uint32_t sequence = 0;
};
// Asks the receiver to ping `target` and to relay the answer, or the lack of one.
struct PingRequest {
  MemberId target;
  std::uint32_t sequence = 0;
};
struct PingReport {
  std::uint32_t sequence = 0;
  bool answered = false;
};
// Hashes of groups of slots: the first question of anti-entropy.
struct Summary {
  std::uint16_t first_group = 0;
  std::span<const std::uint8_t> hashes;  // 4 bytes each
};
// One group in detail: for each 64 slots who is live there, and a hash of their records. Those of
// which nobody lives are left out: the ranges of a little bloc are mostly empty.
inline constexpr std::size_t kWordBytes = 12;
struct Words {
  std::uint16_t group = 0;
  bool reply = false;                   // the receiver sent its own before: no third one
  std::uint64_t present = 0;            // which words of the group follow (bit i: the i-th)
  std::span<const std::uint8_t> words;  // kWordBytes each
};
// One member's news: its record, and who accuses it. When many are suspected at once, that is most
// of the traffic; then it is brief: a check stands for what the receiver has in its own record.
struct NewsItem {
  Record record;
  std::uint32_t check = 0;  // not 0: of the record only slot and state are there; a suspect's
  std::uint8_t accuser_count = 0;
  std::array<std::uint32_t, 3> accusers{};  // slots
};
// Stands for the boot and the incarnation of a record; never 0.
std::uint32_t CheckOf(const Record& record);
std::size_t SizeOf(const NewsItem& item);
inline constexpr std::size_t kNewsItemSizeMin = 9;
inline constexpr std::size_t kNewsItemSizeMax = kRecordSize + 12;
void Encode(const NewsItem& item, Writer& out);
// nullopt if there is none, or it is malformed.
std::optional<NewsItem> DecodeNewsItem(Reader& in);

struct KeyTell {
  bool wants_yours = false;
  Key public_key{};  // Ed25519
};
// Asks for a lease; also how a sealed leader says so.
struct LeaseAsk {
  std::uint64_t epoch = 0;
  std::uint32_t sequence = 0;
  std::uint64_t echo = 0;  // the id of the member's last answer; 0 if none was heard
  std::uint64_t charter_digest = 0;
  std::uint64_t sealed_epoch = 0;     // 0: the sender is not sealed
  std::uint32_t sealed_for_usec = 0;  // how long its leadership still holds
  ElectorateVersion electorate;       // the list that the sender knows; so in the answers
};
struct LeaseGrant {
  std::uint64_t epoch = 0;
  std::uint32_t sequence = 0;  // of the request from which the lease counts
  std::uint64_t answer = 0;    // to be echoed by the next request
  ElectorateVersion electorate;
};
enum class RefusalReason : std::uint8_t {
  kBooting = 1,  // it may have forgotten a promise
  kPromised,     // its grant runs to another
  kEpoch,        // it granted this or a greater epoch before
  kRank,         // its view ranks another first
  kCharter,      // its charter is another
  kRecording,    // its disk is not done
  kLeaving,
  kElectorate,  // it knows a greater list of who has a vote, which comes along
  kNoVote,      // by that list it has none itself
  kRevoked,     // the asker's key was revoked
};
struct LeaseRefusal {
  std::uint32_t sequence = 0;
  RefusalReason reason = RefusalReason::kBooting;
  std::uint64_t promised_epoch = 0;
  std::uint32_t retry_after_usec = 0;  // 0: nothing known
  ElectorateVersion electorate;
};
struct GiveBack {
  std::uint64_t epoch = 0;
};

// An opened body. The spans point into it.
struct Body {
  Beat beat;
  std::optional<Ping> ping;
  std::optional<Ack> ack;
  std::optional<PingRequest> ping_request;
  std::optional<PingReport> ping_report;
  std::optional<Summary> summary;
  std::optional<Words> words;
  std::span<const std::uint8_t> records;  // kRecordSize each
  std::span<const std::uint8_t> news;     // items, one after another
  std::optional<KeyTell> key_tell;
  bool introduction_ask = false;
  std::optional<std::span<const std::uint8_t>> introduction;
  std::span<const std::uint8_t> statements;  // see statement.h, one after another
  std::optional<LeaseAsk> ask;
  std::optional<LeaseGrant> grant;
  std::optional<LeaseRefusal> refusal;
  std::optional<GiveBack> give_back;
  std::span<const std::uint8_t> ring;  // see key_ring.h; empty: none
  std::optional<std::uint32_t> ring_ack;
  std::span<const std::uint8_t> electorate;  // see electorate.h; empty: none
  std::optional<SecondaryTell> secondary;
  std::optional<std::uint32_t> secondary_ack;  // the version in the sender's key file
  std::optional<KeyOrderTell> key_order;
  std::optional<KeyReportTell> key_report;
};

// nullopt unless all of `body` is well-formed, with each message at most once, and those about
// leases and keys only where `pair` says that the packet was authenticated between the two nodes.
std::optional<Body> DecodeBody(std::span<const std::uint8_t> body, bool pair);

void Encode(const Beat& beat, Writer& out);
inline constexpr std::size_t kBeatSize = 17;

// Each appends one message.
void Append(const Ping& message, Writer& out);
void Append(const Ack& message, Writer& out);
void Append(const PingRequest& message, Writer& out);
void Append(const PingReport& message, Writer& out);
void Append(const Summary& message, Writer& out);
void Append(const Words& message, Writer& out);
void Append(const KeyTell& message, Writer& out);
void Append(const LeaseAsk& message, Writer& out);
void Append(const LeaseGrant& message, Writer& out);
void Append(const LeaseRefusal& message, Writer& out);
void Append(const GiveBack& message, Writer& out);
void AppendRecords(std::span<const Record> records, Writer& out);
void AppendNews(std::span<const NewsItem> items, Writer& out);
void AppendIntroductionAsk(Writer& out);
void AppendIntroduction(std::span<const std::uint8_t> bytes, Writer& out);
void AppendStatements(std::span<const std::uint8_t> statements, Writer& out);
void AppendRing(std::span<const std::uint8_t> ring, Writer& out);
void AppendRingAck(std::uint32_t tag, Writer& out);
void AppendElectorate(std::span<const std::uint8_t> part, Writer& out);
void Append(const SecondaryTell& message, Writer& out);
void AppendSecondaryAck(std::uint32_t version, Writer& out);
void Append(const KeyOrderTell& message, Writer& out);
void Append(const KeyReportTell& message, Writer& out);
inline constexpr std::size_t kMessageOverhead = 3;  // type, length

}  // namespace radix::flock
