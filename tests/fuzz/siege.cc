#include "tests/fuzz/siege.h"

#include <algorithm>
#include <utility>

namespace radix::fuzz {
namespace {

constexpr flock::Key kSecondary{0xf1, 0x0c};

// A body may fill a datagram.
using Draft = std::array<std::uint8_t, flock::kDatagramSizeMax>;

// Anybody may send a HELLO, or send it again, from another's address: that gets one datagram, no
// longer than itself. Only who brings back a token, which went to that address, gets more, once.
void RequireShortAnswer(const Bytes& question, const std::vector<Sent>& sent) {
  const auto header = flock::DecodeHeader(question);
  if (!header || header->type != flock::PacketType::kHello) return;
  Require(sent.size() <= 1, "a HELLO is answered once");
  Require(sent.empty() || sent[0].bytes.size() <= question.size(),
          "a HELLO without a valid token is answered by no more than it is");
}

std::span<const std::uint8_t> ReadBytes(flock::Reader& in) {
  const std::size_t length = in.U16();
  return in.Bytes(std::min(length, in.left()));
}

}  // namespace

Siege::Siege() : secondary_(kSecondary), victim_(secondary_) {
  // In different words of the table, and in different groups.
  for (std::uint32_t i = 0; i < kInsiders; ++i) insiders_[i] = MakeInsider(1 + 70 * i);
}

std::unique_ptr<Insider> Siege::MakeInsider(std::uint32_t slot) {
  return std::make_unique<Insider>(victim_.charter(), flock::MemberId{slot, ++boots_}, secondary_);
}

void Siege::Run(std::span<const std::uint8_t> input) {
  flock::Reader in(input);
  Begin(in.U8());
  for (int i = 0; i < kStepsMax && in.left() > 0; ++i) {
    Take(static_cast<Step>(in.U8() % kSteps), in);
    if (stores_) Carry(victim_.Store());
  }
  Carry(victim_.Wait(50ms));
}

void Siege::Begin(std::uint8_t beginnings) {
  stores_ = (beginnings & 16) != 0;
  Carry(victim_.Wait(200ms));  // a node that has just started answers no HELLO yet
  for (std::size_t i = 0; i < kInsiders; ++i) {
    if ((beginnings >> i & 1) != 0) Acquaint(*insiders_[i]);
  }
  if ((beginnings & 8) == 0) return;
  for (int i = 0; i < 50; ++i) {
    Carry(victim_.Wait(100ms));
    Carry(victim_.Store());
    for (const auto& insider : insiders_) Behave(*insider);
  }
  // All that follows is worth little if the siege itself does not work.
  Require((beginnings & 7) != 7 || victim_.core().own_leadership(victim_.now()).has_value(),
          "who is granted leases leads");
}

void Siege::Take(Step step, flock::Reader& in) {
  switch (step) {
    case Step::kWait:
      Carry(victim_.Wait((1 + in.U8()) * Duration(10ms)));
      return;
    case Step::kGroup:
      TakeBody(false, in);
      return;
    case Step::kPair:
      TakeBody(true, in);
      return;
    case Step::kRawHello: {
      Insider& insider = Who(in);
      Send(insider, insider.RawHello(victim_.core().self(), ReadBytes(in)));
      return;
    }
    case Step::kHello:
      SayHello(Who(in));
      return;
    case Step::kWelcome:
      TakeWelcome(in);
      return;
    case Step::kHonest:
      Behave(Who(in));
      return;
    case Step::kAgain:
      TakeAgain(in);
      return;
    case Step::kStore:
      Carry(victim_.Store());
      return;
    case Step::kAskForNames:
      Carry(victim_.AskForIntroduction(Who(in).self().slot));
      return;
    case Step::kReboot: {
      auto& insider = insiders_[in.U8() % kInsiders];
      insider = MakeInsider(insider->self().slot);
      return;
    }
    case Step::kLeave:
      Carry(victim_.Leave());
      return;
    case Step::kRawRetry: {
      Insider& insider = Who(in);
      Send(insider, insider.RawRetry(ReadBytes(in)));
      return;
    }
  }
}

void Siege::TakeBody(bool pair, flock::Reader& in) {
  Insider& insider = Who(in);
  const std::uint8_t flags = in.U8();
  const auto raw = ReadBytes(in);
  Draft draft;
  flock::Writer out(draft);
  if ((flags & kWithBeat) != 0) Encode(insider.HonestBeat(), out);
  if ((flags & kWithAck) != 0 && insider.ping()) {
    Append(flock::Ack{insider.ping()->token, insider.ping()->sequence}, out);
  }
  if ((flags & kWithRecord) != 0) {
    const flock::Record record = insider.record();
    AppendRecords(std::span(&record, 1), out);
  }
  out.Bytes(raw.first(std::min(raw.size(), out.room())));
  Send(insider, pair ? insider.Pair(out.written()) : insider.Group(out.written()));
}

void Siege::TakeWelcome(flock::Reader& in) {
  Insider& insider = Who(in);
  const std::uint8_t flags = in.U8();
  flock::Welcome welcome;
  welcome.sender = insider.record();
  welcome.beat = insider.HonestBeat();
  if ((flags & 1) != 0) welcome.beat.incarnation = in.U32();
  if ((flags & 2) != 0) welcome.sender.fingerprint = in.U64();
  welcome.counter = (flags & 4) != 0 ? in.U64() : 1;
  if ((flags & 8) != 0) welcome.about_you = DecodeRecord(in);
  welcome.secondary_keys.push_back((flags & 16) != 0 ? in.ReadKey() : secondary_);
  if ((flags & 32) != 0) welcome.secondary_keys.push_back(secondary_);
  const auto ring = ReadBytes(in);
  welcome.ring.assign(ring.begin(), ring.end());
  Send(insider, insider.Welcome(welcome, victim_.now()));
}

void Siege::TakeAgain(flock::Reader& in) {
  const std::uint8_t which = in.U8();
  const std::uint16_t where = in.U16();
  const std::uint8_t how = in.U8();
  if (seen_.empty()) return;
  Seen again = seen_[which % seen_.size()];
  again.bytes[where % again.bytes.size()] ^= how;
  flock::Flock& core = victim_.core();
  const flock::Counters before = core.counters();
  const std::uint64_t events = victim_.events();
  const std::uint64_t view = core.view_hash();
  const auto sent = victim_.Receive(again.slot, again.bytes);
  RequireShortAnswer(again.bytes, sent);
  Require(core.counters().accepted == before.accepted, "no datagram is accepted twice");
  Require(victim_.events() == events && core.view_hash() == view,
          "no datagram changes anything twice, nor does an altered one");
  if (how != 0) {
    const flock::Counters& after = core.counters();
    Require(sent.empty(), "an altered datagram gets no answer");
    Require(
        after.dropped_malformed + after.dropped_unauthenticated + after.dropped_replayed ==
            before.dropped_malformed + before.dropped_unauthenticated + before.dropped_replayed + 1,
        "an altered datagram is counted");
  }
  Carry(sent);
}

void Siege::SayHello(Insider& insider) {
  if (!insider.has_token()) Send(insider, insider.Hello(victim_.core().self(), victim_.now()));
  if (insider.has_token()) Send(insider, insider.Hello(victim_.core().self(), victim_.now()), true);
}

void Siege::Acquaint(Insider& insider) {
  SayHello(insider);
  // A question, which the victim answers with one: who are you?
  Draft draft;
  flock::Writer out(draft);
  Encode(insider.HonestBeat(), out);
  Append(flock::Ping{1, 1, flock::Ping::kIntroduceYourself}, out);
  Send(insider, insider.Group(out.written()));
  Behave(insider);
  Behave(insider);
  bool known = false;
  for (const flock::MemberView& member : victim_.core().Members(victim_.now())) {
    known = known || (member.id == insider.self() && member.in_contact);
  }
  Require(known && insider.has_pair_key(), "who behaves becomes a member");
}

void Siege::Behave(Insider& insider) {
  Draft draft;
  flock::Writer out(draft);
  Encode(insider.HonestBeat(), out);
  if (insider.ping()) Append(flock::Ack{insider.ping()->token, insider.ping()->sequence}, out);
  const flock::Record record = insider.record();
  AppendRecords(std::span(&record, 1), out);
  Append(flock::KeyTell{!insider.has_pair_key(), insider.public_key()}, out);
  if (!insider.has_pair_key()) Append(flock::Ping{1, 2, 0}, out);
  Send(insider, insider.Group(out.written()));
  if (!insider.ask()) return;
  flock::Writer pair(draft);
  Encode(insider.HonestBeat(), pair);
  Append(flock::LeaseGrant{insider.ask()->epoch, insider.ask()->sequence, ++answers_,
                           insider.ask()->electorate},
         pair);
  Send(insider, insider.Pair(pair.written()));
}

void Siege::Send(const Insider& from, const Bytes& datagram, bool has_token) {
  if (datagram.empty()) return;
  const std::uint64_t accepted = victim_.core().counters().accepted;
  const auto before = victim_.core().Members(victim_.now());
  const auto sent = victim_.Receive(from.self().slot, datagram);
  RequireSameIdentities(from, before);
  if (!has_token) RequireShortAnswer(datagram, sent);
  if (victim_.core().counters().accepted != accepted && seen_.size() < kSeenMax) {
    seen_.push_back({from.self().slot, datagram});
  }
  Carry(sent);
}

// Whom the victim met itself nobody else gives another key.
void Siege::RequireSameIdentities(const Insider& from,
                                  const std::vector<flock::MemberView>& before) {
  const auto after = victim_.core().Members(victim_.now());
  for (const flock::MemberView& was : before) {
    if (!was.in_contact || was.id.slot == from.self().slot) continue;
    const auto is = std::ranges::find(after, was.id, &flock::MemberView::id);
    Require(is == after.end() || is->fingerprint == was.fingerprint,
            "hearsay does not change who a member is");
  }
}

void Siege::Carry(const std::vector<Sent>& sent) {
  for (const Sent& each : sent) {
    for (const auto& insider : insiders_) {
      if (insider->self().slot == each.slot) insider->Receive(each.bytes, victim_.now());
    }
  }
}

}  // namespace radix::fuzz
