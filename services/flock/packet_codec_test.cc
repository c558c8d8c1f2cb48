#include "services/flock/packet_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/statement.h"

namespace radix::flock {
namespace {

std::vector<std::uint8_t> FullBody() {
  std::array<std::uint8_t, kDatagramSizeMax> buffer{};
  Writer out(buffer);
  Encode(Beat{3, Beat::kHearsYou, 77, 99}, out);
  Append(Ping{11, 12, Ping::kIntroduceYourself}, out);
  Append(Ack{13, 14}, out);
  Append(PingRequest{{15, 16}, 17}, out);
  Append(PingReport{18, true}, out);
  const std::array<std::uint8_t, 8> hashes{1, 2, 3, 4, 5, 6, 7, 8};
  Append(Summary{2, hashes}, out);
  const std::array<std::uint8_t, 24> words{};
  Append(Words{3, true, 5, words}, out);
  const Record record{{20, 21}, 22, MemberState::kDead, 23};
  AppendRecords(std::span(&record, 1), out);
  NewsItem item;
  item.record = record;
  item.accuser_count = 2;
  item.accusers = {30, 31, 0};
  AppendNews(std::span(&item, 1), out);
  Append(KeyTell{true, Key{1, 2, 3}}, out);
  AppendIntroductionAsk(out);
  AppendIntroduction(hashes, out);
  AppendStatements(Signer(Key{1}, 2).Sign(StatementKind::kLeaves, {3, 4}, 5, {}), out);
  Append(LeaseAsk{40, 41, 42, 43, 44, 45, {54, 55}}, out);
  Append(LeaseGrant{46, 47, 48, {56, 57}}, out);
  Append(LeaseRefusal{49, RefusalReason::kRevoked, 50, 51, {58, 59}}, out);
  Append(GiveBack{52}, out);
  AppendRing(hashes, out);
  AppendRingAck(53, out);
  AppendElectorate(hashes, out);
  const std::array<std::uint8_t, 64> keys{9};
  Append(SecondaryTell{54, 55, true, keys}, out);
  AppendSecondaryAck(56, out);
  Append(KeyOrderTell{57, {KeyStep::kUse, 58, true, 59}}, out);
  const KeyReport report{
      KeyResult::kNotAcknowledged, 60, {}, RotationPhase::kInstalled, 61, 62, 63, 64, 65, {66, 67}};
  Append(KeyReportTell{68, report, {}}, out);
  EXPECT_TRUE(out.ok());
  return {out.written().begin(), out.written().end()};
}

// Writes again what was read.
std::vector<std::uint8_t> Rewritten(const Body& body) {
  std::array<std::uint8_t, kDatagramSizeMax> buffer{};
  Writer out(buffer);
  Encode(body.beat, out);
  const auto append = [&](const auto& message) {
    if (message) Append(*message, out);
  };
  append(body.ping), append(body.ack), append(body.ping_request), append(body.ping_report);
  append(body.summary), append(body.words), append(body.key_tell), append(body.ask);
  append(body.grant), append(body.refusal), append(body.give_back);
  std::vector<Record> records;
  for (Reader in(body.records); in.left() > 0;) records.push_back(DecodeRecord(in));
  if (!records.empty()) AppendRecords(records, out);
  std::vector<NewsItem> news;
  for (Reader in(body.news); in.left() > 0;) news.push_back(*DecodeNewsItem(in));
  if (!news.empty()) AppendNews(news, out);
  if (body.introduction_ask) AppendIntroductionAsk(out);
  if (body.introduction) AppendIntroduction(*body.introduction, out);
  if (!body.statements.empty()) AppendStatements(body.statements, out);
  if (!body.ring.empty()) AppendRing(body.ring, out);
  if (body.ring_ack) AppendRingAck(*body.ring_ack, out);
  if (!body.electorate.empty()) AppendElectorate(body.electorate, out);
  if (body.secondary) Append(*body.secondary, out);
  if (body.secondary_ack) AppendSecondaryAck(*body.secondary_ack, out);
  append(body.key_order);
  if (body.key_report)
    Append(KeyReportTell{body.key_report->id, ToReport(*body.key_report, {}), {}}, out);
  EXPECT_TRUE(out.ok());
  return {out.written().begin(), out.written().end()};
}

TEST(PacketCodecTest, WordsAreAsManyAsTheySay) {
  const std::array<std::uint8_t, std::size_t{64} * kWordBytes> words{};
  const auto valid = [&](std::uint64_t present, std::size_t count) {
    std::array<std::uint8_t, kDatagramSizeMax> buffer{};
    Writer out(buffer);
    Encode(Beat{}, out);
    Append(Words{0, false, present, std::span(words).first(count * kWordBytes)}, out);
    const auto body = DecodeBody(out.written(), false);
    return body.has_value() && body->words->present == present;
  };
  EXPECT_TRUE(valid(0, 0));
  EXPECT_TRUE(valid(0b1001, 2));
  EXPECT_TRUE(valid(~std::uint64_t{0}, 64));
  EXPECT_FALSE(valid(0b1001, 1));
  EXPECT_FALSE(valid(0b1001, 3));
  EXPECT_FALSE(valid(0, 1));
}

TEST(PacketCodecTest, ReadsWhatItWrote) {
  const std::vector<std::uint8_t> bytes = FullBody();
  const auto body = DecodeBody(bytes, true);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->beat.incarnation, 3U);
  EXPECT_EQ(body->beat.view_hash, 99U);
  EXPECT_EQ(body->ping->token, 11U);
  EXPECT_EQ(body->ack->sequence, 14U);
  EXPECT_EQ(body->ping_request->target, (MemberId{15, 16}));
  EXPECT_TRUE(body->ping_report->answered);
  EXPECT_EQ(body->summary->hashes.size(), 8U);
  EXPECT_TRUE(body->words->reply);
  EXPECT_EQ(body->words->present, 5U);
  Reader records(body->records);
  EXPECT_EQ(DecodeRecord(records).fingerprint, 23U);
  Reader news(body->news);
  EXPECT_EQ(DecodeNewsItem(news)->accusers[1], 31U);
  EXPECT_EQ(body->key_tell->public_key[2], 3);
  EXPECT_TRUE(body->introduction_ask && body->introduction && !body->statements.empty());
  EXPECT_EQ(body->ask->charter_digest, 43U);
  EXPECT_EQ(body->grant->answer, 48U);
  EXPECT_EQ(body->ask->electorate, (ElectorateVersion{54, 55}));
  EXPECT_EQ(body->grant->electorate, (ElectorateVersion{56, 57}));
  EXPECT_EQ(body->refusal->reason, RefusalReason::kRevoked);
  EXPECT_EQ(body->refusal->electorate, (ElectorateVersion{58, 59}));
  EXPECT_EQ(body->give_back->epoch, 52U);
  EXPECT_EQ(body->ring_ack, 53U);
  EXPECT_EQ(body->electorate.size(), 8U);
}

TEST(PacketCodecTest, WritesNewsInFullOrInBriefAndSaysBeforeHowLong) {
  NewsItem item;
  item.record = {{20, 21}, 22, MemberState::kSuspect, 23};
  item.accuser_count = 3;
  item.accusers = {30, 31, 32};
  for (const bool brief : {false, true}) {
    if (brief) item.check = CheckOf(item.record);
    std::array<std::uint8_t, kNewsItemSizeMax> buffer{};
    Writer out(buffer);
    Encode(item, out);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out.size(), SizeOf(item));
    EXPECT_EQ(out.size(), brief ? 21U : 37U);
    Reader in(out.written());
    const auto read = DecodeNewsItem(in);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(in.left(), 0U);
    EXPECT_EQ(read->record.id.slot, 20U);
    EXPECT_EQ(read->record.state, MemberState::kSuspect);
    EXPECT_EQ(read->accusers, item.accusers);
    EXPECT_EQ(read->check, item.check);
    EXPECT_EQ(read->record.incarnation, brief ? 0U : 22U);
    Reader cut(out.written().first(out.size() - 1));
    EXPECT_FALSE(DecodeNewsItem(cut).has_value());
    buffer[0] |= 32;
    Reader odd(buffer);
    EXPECT_FALSE(DecodeNewsItem(odd).has_value());
  }
  const Record other{{20, 21}, 24, MemberState::kSuspect, 23};
  EXPECT_NE(CheckOf(other), CheckOf(item.record));
}

TEST(PacketCodecTest, ReadsWhatLeaderAndMembersSayAboutTheSecondaryKey) {
  const std::vector<std::uint8_t> bytes = FullBody();
  const auto body = DecodeBody(bytes, true);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->secondary->epoch, 54U);
  EXPECT_EQ(body->secondary->revision, 55U);
  EXPECT_TRUE(body->secondary->settled);
  EXPECT_EQ(body->secondary->Keys(), (std::vector<Key>{Key{9}, Key{}}));
  EXPECT_EQ(body->secondary_ack, 56U);
  EXPECT_EQ(body->key_order->id, 57U);
  EXPECT_EQ(body->key_order->order.step, KeyStep::kUse);
  EXPECT_EQ(body->key_order->order.from, 58U);
  EXPECT_TRUE(body->key_order->order.force);
  EXPECT_EQ(body->key_order->order.first_slot, 59U);
  const KeyReport report = ToReport(*body->key_report, {3, 4});
  EXPECT_EQ(body->key_report->id, 68U);
  EXPECT_EQ(report.result, KeyResult::kNotAcknowledged);
  EXPECT_EQ(report.epoch, 60U);
  EXPECT_EQ(report.leader, (MemberId{3, 4}));
  EXPECT_EQ(report.phase, RotationPhase::kInstalled);
  EXPECT_EQ(report.current, 61U);
  EXPECT_EQ(report.previous, 62U);
  EXPECT_EQ(report.next, 63U);
  EXPECT_EQ(report.members, 64U);
  EXPECT_EQ(report.acknowledged, 65U);
  EXPECT_EQ(report.missing, (std::vector<std::uint32_t>{66, 67}));
}

TEST(PacketCodecTest, RefusesMoreKeysThanARingHasAndHalfOnes) {
  const std::array<std::uint8_t, 160> keys{};
  for (const std::size_t size : {0, 31, 33, 128, 160}) {
    std::array<std::uint8_t, kDatagramSizeMax> buffer{};
    Writer out(buffer);
    Encode(Beat{}, out);
    Append(SecondaryTell{1, 2, true, std::span(keys).first(size)}, out);
    EXPECT_FALSE(DecodeBody(out.written(), true).has_value()) << size;
  }
}

TEST(PacketCodecTest, TakesLeasesAndKeysOnlyFromPairs) {
  EXPECT_FALSE(DecodeBody(FullBody(), false).has_value());
  std::array<std::uint8_t, 100> buffer{};
  Writer out(buffer);
  Encode(Beat{}, out);
  Append(GiveBack{1}, out);
  EXPECT_TRUE(DecodeBody(out.written(), true).has_value());
  EXPECT_FALSE(DecodeBody(out.written(), false).has_value());
}

TEST(PacketCodecTest, RefusesEveryTruncation) {
  const std::vector<std::uint8_t> bytes = FullBody();
  std::size_t valid = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (DecodeBody(std::span(bytes).first(size), true)) ++valid;
  }
  EXPECT_EQ(valid, 23U);  // only between two messages, of which there are 23
}

TEST(PacketCodecTest, RefusesAMessageThatComesTwice) {
  std::array<std::uint8_t, 100> buffer{};
  Writer out(buffer);
  Encode(Beat{}, out);
  Append(Ack{1, 2}, out);
  EXPECT_TRUE(DecodeBody(out.written(), false).has_value());
  Append(Ack{1, 2}, out);
  EXPECT_FALSE(DecodeBody(out.written(), false).has_value());
}

// Up to eight bytes of it replaced, and sometimes its end cut off.
std::vector<std::uint8_t> Damaged(std::vector<std::uint8_t> bytes, Random& random) {
  for (std::uint64_t flips = 1 + random.Below(8); flips > 0; --flips) {
    bytes[random.Below(bytes.size())] = static_cast<std::uint8_t>(random.Next());
  }
  if (random.Chance(0.5)) bytes.resize(random.Below(bytes.size() + 1));
  return bytes;
}

TEST(PacketCodecTest, TakesOfDamagedBodiesOnlyWhatItCouldHaveWritten) {
  Random random(1);
  const std::vector<std::uint8_t> full = FullBody();
  int taken = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::vector<std::uint8_t> bytes = Damaged(full, random);
    const auto body = DecodeBody(bytes, true);
    if (!body) continue;
    ++taken;
    // Messages may have changed places; nothing is left over, and nothing is read twice.
    const std::vector<std::uint8_t> again = Rewritten(*body);
    ASSERT_EQ(again.size(), bytes.size()) << i;
    const auto same = DecodeBody(again, true);
    ASSERT_TRUE(same.has_value()) << i;
    ASSERT_EQ(Rewritten(*same), again) << i;
  }
  EXPECT_GT(taken, 1000) << "too few to show anything";
  EXPECT_LT(taken, 10000) << "hardly anything was damaged";
}

TEST(PacketCodecTest, TakesOfDamagedHeadersOnlyWhatItCouldHaveWritten) {
  Random random(1);
  std::vector<std::uint8_t> whole(kHeaderSize + kTagSize);
  Writer out(whole);
  Encode(Header{PacketType::kPair, 1, {2, 3}, 4}, out);
  int taken = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::vector<std::uint8_t> bytes = Damaged(whole, random);
    const auto header = DecodeHeader(bytes);
    if (!header) continue;
    ++taken;
    std::array<std::uint8_t, kHeaderSize> buffer{};
    Writer again(buffer);
    Encode(*header, again);
    ASSERT_TRUE(std::equal(buffer.begin(), buffer.end(), bytes.begin())) << i;
  }
  EXPECT_GT(taken, 1000) << "too few to show anything";
  EXPECT_LT(taken, 15000) << "hardly anything was damaged";
}

TEST(PacketCodecTest, ReadsAHeaderAndRefusesOthers) {
  std::array<std::uint8_t, 64> buffer{};
  Writer out(buffer);
  Encode(Header{PacketType::kPair, 1, {2, 3}, 4}, out);
  ASSERT_EQ(out.size(), kHeaderSize);
  const auto header = DecodeHeader(buffer);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->sender, (MemberId{2, 3}));
  EXPECT_EQ(header->counter, 4U);
  EXPECT_FALSE(DecodeHeader(std::span(buffer).first(kHeaderSize + kTagSize - 1)).has_value());
  for (const std::size_t at : {0, 1, 2, 3}) {
    auto broken = buffer;
    broken[at] = 200;
    EXPECT_FALSE(DecodeHeader(broken).has_value()) << at;
  }
  EXPECT_FALSE(DecodeHeader(std::vector<std::uint8_t>(kDatagramSizeMax + 1)).has_value());
}

TEST(WriterTest, WritesNothingPastItsEnd) {
  std::array<std::uint8_t, 5> buffer{};
  Writer out(buffer);
  out.U32(1);
  out.U16(2);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 4U);
}

}  // namespace
}  // namespace radix::flock
