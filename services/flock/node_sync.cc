// Anti-entropy: what is asked, and how it is answered.

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include "services/flock/anti_entropy.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

constexpr std::size_t kRecordsPerPacket = 40;
// Records sent in answer to one datagram: seven datagrams.
constexpr std::size_t kRecordsPerExchange = 280;
// Where all members fit into so many words, the words are the question: a round trip less.
constexpr std::uint32_t kWordsAtOnce = 8;
// Of a message of words: its group, whether it replies, and which words follow.
constexpr std::size_t kWordsHeader = 2 + 1 + 1 + 8;

}  // namespace

void Flock::Node::AppendDigest(std::uint32_t window, Writer& body) {
  const MemberTable& table = membership_.table();
  std::array<std::uint8_t, kSummaryBytesMax> bytes;
  Writer out(bytes);
  if (table.word_count() <= kWordsAtOnce) {
    const std::uint64_t present = EncodeWords(table, 0, out);
    Append(Words{0, false, present, out.written()}, body);
    return;
  }
  const auto first = static_cast<std::uint16_t>(window * kSummaryGroupsMax);
  EncodeSummary(table, first, out);
  Append(Summary{first, out.written()}, body);
}

void Flock::Node::TickSync(Instant now) {
  if (now < next_sync_) return;
  const Tunables& tunables = config_.tunables;
  const bool busy = now - std::max(membership_.changed_at(), differed_at_) < 1s;
  const Duration interval = busy ? tunables.sync_interval_busy : tunables.sync_interval_idle;
  next_sync_ = now + random_.Between(interval * 3 / 4, interval * 5 / 4);
  if (membership_.table().live_count() < 2) return;
  const std::uint32_t groups = GroupCount(membership_.table());
  const std::uint32_t windows =
      (groups + static_cast<std::uint32_t>(kSummaryGroupsMax) - 1) / kSummaryGroupsMax;
  const Member* first = nullptr;
  for (int i = 0; i < (busy ? 2 : 1); ++i) {
    // One of all, so that everybody meets; then one of those that need not prove themselves first.
    const Member* const peer = i == 0 ? RandomPeer() : RandomContact();
    // Of few it is often the same again.
    if (peer == nullptr || peer == first) return;
    // To become acquainted takes four datagrams: a small bloc, whose members do so anyway, first
    // makes its views one.
    if (busy && IsSmall() && !IsProven(*peer) && membership_.table().contact_count() > 0) continue;
    first = peer;
    // With suspicions about, the answers carry news of them.
    if (busy && ShowsSameView(*peer) && membership_.suspicions().size() == 0) continue;
    Writer body = Begin(peer->id(), now);
    Append(Ping{tokens_.For(peer->id(), now), prober_.NextSequence(),
                IsProven(*peer) ? std::uint8_t{0} : Ping::kIntroduceYourself},
           body);
    AppendDigest(static_cast<std::uint32_t>(random_.Below(windows)), body);
    if (IsProven(*peer)) AppendNewsTo(body, peer->id(), kNewsOnOthers);
    SendGroup(peer->id(), body, now);
  }
}

bool Flock::Node::SendWords(const Incoming& packet, Instant now) {
  const MemberTable& table = membership_.table();
  const auto& [summary, words] = std::tie(packet.body.summary, packet.body.words);
  std::vector<std::uint16_t> groups;
  if (summary) groups = DifferingGroups(table, *summary);
  // Who has not proven itself yet is sent no records: it shows what it has once it did.
  if (!packet.proven && words && !words->reply && Differs(table, *words)) {
    groups.push_back(words->group);
  }
  // Where two halves of a bloc meet, everybody has much to tell to who met the others first.
  if (groups.empty() || !words_pace_.Take(now)) return false;
  random_.Shuffle(groups);
  // One datagram is answered by one, or two where both sides know each other.
  groups.resize(std::min<std::size_t>(groups.size(), packet.proven ? 2 : 1));
  for (const std::uint16_t group : groups) SendWordsOf(group, false, packet, now);
  return true;
}

void Flock::Node::SendWordsOf(std::uint16_t group, bool reply, const Incoming& packet,
                              Instant now) {
  Writer body = BeginAnswer(packet, now);
  AppendWords(group, reply, body);
  SendGroup(packet.sender, body, now, packet.proven ? 0 : packet.key_tag);
}

// Returns false, and appends nothing, if there is no room.
bool Flock::Node::AppendWords(std::uint16_t group, bool reply, Writer& body) {
  std::array<std::uint8_t, kWordsBytesMax> words;
  Writer out(words);
  const std::uint64_t present = EncodeWords(membership_.table(), group, out);
  const Words message{group, reply, present, out.written()};
  if (body.room() < kMessageOverhead + kWordsHeader + out.size()) return false;
  Append(message, body);
  return true;
}

bool Flock::Node::SendDifferences(const Incoming& packet, Instant now) {
  const auto& words = packet.body.words;
  if (!words) return false;
  const auto start = static_cast<std::uint32_t>(random_.Below(64 * kWordsPerGroup));
  const Difference difference = Compare(membership_.table(), *words, kRecordsPerExchange, start);
  if (!difference.send.empty() && !records_pace_.Take(packet.sender.slot, now)) return false;
  const bool asks = !words->reply && difference.lacking && words_pace_.Take(now);
  const bool asked = SendRecords(packet, difference.send, asks, now);
  if (asks && !asked) SendWordsOf(words->group, true, packet, now);
  return asks || !difference.send.empty();
}

// If it `asks` what the sender has of the same group it does so with the last of them, where that
// has room. Returns whether it did.
bool Flock::Node::SendRecords(const Incoming& packet, std::span<const std::uint32_t> slots,
                              bool asks, Instant now) {
  bool asked = false;
  const MemberTable& table = membership_.table();
  for (const std::uint32_t slot : slots) table.PrefetchIndex(slot);
  for (const std::uint32_t slot : slots) table.PrefetchMember(slot);
  for (std::size_t at = 0; at < slots.size(); at += kRecordsPerPacket) {
    std::array<Record, kRecordsPerPacket + 1> records;
    std::size_t count = 0;
    const auto& ping = packet.body.ping;
    if (ping && (ping->flags & Ping::kIntroduceYourself) != 0) {
      records[count++] = membership_.self();
    }
    for (const std::uint32_t slot :
         slots.subspan(at, std::min(kRecordsPerPacket, slots.size() - at))) {
      records[count] = membership_.ItemFor(slot).record;
      // Suspicions travel as news, with their accusers.
      if (records[count].state == MemberState::kSuspect) records[count].state = MemberState::kAlive;
      ++count;
    }
    Writer body = BeginAnswer(packet, now, std::span(records).first(count));
    const bool last = at + kRecordsPerPacket >= slots.size();
    asked = asks && last && AppendWords(packet.body.words->group, true, body);
    SendGroup(packet.sender, body, now);
  }
  if (packet.proven) SendHeldDead(packet.sender, slots, now);
  return asked;
}

}  // namespace radix::flock
