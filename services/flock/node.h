// The parts of a flock, put together. Private to flock.cc, node*.cc.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/awaited.h"
#include "services/flock/discovery.h"
#include "services/flock/electorate.h"
#include "services/flock/flock.h"
#include "services/flock/handshake.h"
#include "services/flock/introductions.h"
#include "services/flock/key_orders.h"
#include "services/flock/key_ring.h"
#include "services/flock/key_stream.h"
#include "services/flock/leadership.h"
#include "services/flock/lease.h"
#include "services/flock/membership.h"
#include "services/flock/outbox.h"
#include "services/flock/packet_codec.h"
#include "services/flock/packet_protection.h"
#include "services/flock/pair_keys.h"
#include "services/flock/prober.h"
#include "services/flock/ranking.h"
#include "services/flock/revocations.h"
#include "services/flock/secondary_ring.h"
#include "services/flock/secondary_rotation.h"
#include "services/flock/session_tokens.h"
#include "services/flock/standing.h"
#include "services/flock/statement.h"
#include "services/flock/statements.h"

namespace radix::flock {

// Carries datagrams, time and answers between the mechanisms; what each decides is its own. Split
// over files by direction: node.cc (time), node_receive.cc, node_send.cc, node_statements.cc,
// node_leadership.cc, node_electorate.cc, node_keys.cc, node_secondary.cc, node_revoked.cc.
class Flock::Node {
 public:
  Node(Config config, Instant now);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // As in flock.h.
  void HandleDatagram(const Endpoint& from, std::span<const std::uint8_t> bytes, Instant now);
  void HandleTimeout(Instant now);
  void HandlePersisted(const Promise& promise, Instant now);
  void HandleNotPersisted(const Promise& promise, Instant now);
  void Leave(Instant now);
  bool RequestIntroduction(std::uint32_t slot, Instant now);
  std::optional<Transmit> PollTransmit();
  std::optional<Promise> PollPersist() { return granter_.PollPersist(); }
  std::optional<Event> PollEvent();
  std::uint64_t OrderKeys(const KeyOrder& order, Instant now);
  std::optional<KeyAnswer> PollKeyAnswer() { return key_orders_.Poll(); }
  std::optional<KeyFile> PollKeyFile();
  void HandleKeyFileStored(std::uint32_t version, Instant now);
  void SetRevoked(std::vector<std::uint64_t> fingerprints, Instant now);
  Instant NextTimeout() const;

  const MemberId& self() const { return self_; }
  const Config& config() const { return config_; }
  const Membership& membership() const { return membership_; }
  const PairKeys& pair_keys() const { return pair_keys_; }
  const KeyRing& ring() const { return ring_; }
  const SecondaryRing& secondary() const { return secondary_; }
  const LeaseGranter& granter() const { return granter_; }
  const Candidacy& candidacy() const { return candidacy_; }
  const Electorate& electorate() const { return electorate_; }
  const Counters& counters() const { return counters_; }
  const MemberId& provisional() const { return provisional_; }
  std::optional<Leadership> KnownLeader(Instant now) const;
  std::uint32_t ContactCount(Instant now) const;
  std::vector<std::uint32_t> PeersToRemember() const;
  std::size_t memory_bytes() const;
  std::uint64_t StateDigest(Instant now) const;
  // Whether it is known here, and its key was revoked.
  bool IsRevoked(const MemberId& id) const;

  // Whether it keeps in contact with everybody: as one of the first-ranked, and as long as it leads
  // or asks to, whatever its rank has become since.
  bool Stands() const {
    return standing_.stands() || candidacy_.asking_epoch() != 0 || provisional_ == self_;
  }

  // By its charter all of the bloc will stand, and so ping each other from the first second on.
  // What they tell each other is little, however it travels.
  bool IsSmall() const { return config_.charter.at_most <= config_.tunables.standing_all_below; }

 private:
  // One packet being answered.
  struct Incoming {
    MemberId sender;
    std::uint64_t counter = 0;
    std::uint32_t key_tag = 0;
    bool proven = false;
    Body body;
  };

  // node.cc
  void NoticeLateness(Instant now);
  void NoticeAbsence(Instant now);
  void TickDiscovery(Instant now);
  void TickProber(Instant now);
  void TickSync(Instant now);
  void TickNews(Instant now);
  void TickContact(Instant now);
  void PingContact(const Member& member, Instant now);
  bool NeedsContact(const Member& member, Instant now);
  void TickStanding(Instant now);
  void LookAtRivals(Instant now);
  void TickIntroductions(Instant now);
  void TickConfirmations(Instant now);
  void SendTells(Instant now);
  // A live member other than this node, at random; nullptr if there is none.
  Member* RandomPeer();
  // One that was heard itself, so that it takes what it is told, and whose beat has none of the
  // flags `without`; and up to so many of them, all different.
  Member* RandomContact(std::uint8_t without = 0);
  std::vector<MemberId> RandomContacts(std::size_t most, std::uint8_t without = 0);
  bool ShowsSameView(const Member& member) const;
  bool IsProven(const Member& member) const { return membership_.table().ContactOf(member).proven; }

  // node_receive.cc
  void HandleSealed(const Header& header, std::span<const std::uint8_t> bytes, Instant now);
  bool Prove(Incoming& packet, Instant now);
  void HandleBeat(Member& member, const Incoming& packet, Instant now);
  void AnswerUnproven(const Incoming& packet, Instant now);
  void HandleProven(const Incoming& packet, bool pair, Instant now);
  void HandleMemberNews(const Incoming& packet, Instant now);
  void HandleIntroductions(const Incoming& packet, Instant now);
  bool AnswerPing(const Incoming& packet, Instant now);

  // node_send.cc
  Writer Begin(const MemberId& to, Instant now);
  // Begins an answer to `packet`: with an ack of its ping, `records`, or our own if it asked for
  // that, and a ping of ours if it is unproven.
  Writer BeginAnswer(const Incoming& packet, Instant now, std::span<const Record> records = {});
  void SendGroup(const MemberId& to, Writer& body, Instant now, std::uint32_t key_tag = 0);
  void SendPair(const MemberId& to, Writer& body);
  void SendSealed(PacketType type, const MemberId& to, const Key& key, std::uint32_t tag,
                  Writer& body);
  // A short one; or, with a token of who is there, one that is answered by WELCOME.
  void SendHello(std::uint32_t slot, Instant now,
                 std::optional<std::uint64_t> token = std::nullopt);
  void SendPing(const MemberId& to, std::uint32_t sequence, Instant now,
                std::optional<NewsItem> news = std::nullopt, std::uint32_t key_tag = 0);
  // Asks whether the receiver knows the same members; where there are many, those of one window.
  void AppendDigest(std::uint32_t window, Writer& body);
  bool SendWords(const Incoming& packet, Instant now);
  void SendWordsOf(std::uint16_t group, bool reply, const Incoming& packet, Instant now);
  bool SendDifferences(const Incoming& packet, Instant now);
  bool AppendWords(std::uint16_t group, bool reply, Writer& body);
  bool SendRecords(const Incoming& packet, std::span<const std::uint32_t> slots, bool asks,
                   Instant now);
  // Bytes of news that ride on packets of another kind.
  static constexpr std::size_t kNewsOnOthers = 200;
  // But what `to` knows best itself.
  void AppendNewsTo(Writer& body, const MemberId& to, std::size_t bytes);
  Destination DestinationOf(const MemberId& id) const;

  // node_leadership.cc
  bool RanksFirst(const MemberId& candidate, Instant now);
  void Await(const MemberId& first, Instant now);
  std::optional<MemberId> FirstContender(Instant now);
  bool MayLead(const MemberId& id, Instant now) const;
  void TickLeadership(Instant now);
  void SendAsks(Instant now);
  void SendReleased(std::optional<LeaseGranter::Released> released, Instant now);
  void GiveBackLeases(Instant now);
  void HandleAsk(const MemberId& from, const LeaseAsk& ask, Instant now);
  void HandleLeaseMessages(const Incoming& packet, Instant now);
  void HearLeader(const MemberId& from, const LeaseAsk& ask, Instant now);
  bool YieldsTo(const MemberId& from, const LeaseAsk& ask, Instant now);
  bool IsOver(const MemberId& id) const;
  bool Believes(const MemberId& from, const LeaseAsk& ask, Instant now) const;
  void ForgetLeader(Evidence evidence, Instant now);
  void Emit(EventKind kind, Evidence evidence, const MemberId& subject, const MemberId& reporter,
            std::uint64_t epoch, std::uint64_t value, Instant now);

  // node_statements.cc
  void SignAccusations(Instant now);
  void TickStatements(Instant now);
  void HandleStatements(const Incoming& packet, Instant now);
  void SendHeldDead(const MemberId& to, std::span<const std::uint32_t> slots, Instant now);
  void SendGoodByes(Instant now);

  // node_electorate.cc
  LeaseAnswer AnswerByElectorate(const MemberId& from, const LeaseAsk& ask, Instant now);
  int SendElectorate(const MemberId& to, Instant now);
  void HandleElectorate(const Incoming& packet, Instant now);
  Electorate::Word WordOn(const MemberId& from, std::uint64_t epoch, Instant now) const;
  void ReviseElectorate(Instant now);
  void ForgetElectorate(Instant now);
  void ElectorateChanged(bool had_vote, Instant now);

  // node_keys.cc
  void HandleHello(const Header& header, std::span<const std::uint8_t> bytes, Instant now);
  void HandleWelcome(const Header& header, std::span<const std::uint8_t> bytes, Instant now);
  void HandleRetry(const Header& header, std::span<const std::uint8_t> bytes, Instant now);
  void HearWelcome(Member& member, const Welcome& welcome, Instant now);
  std::vector<Record> Others(std::uint32_t but) const;
  std::vector<Record> LackedBy(const Welcome& welcome) const;
  void HandleKeyTell(const Incoming& packet, Instant now);
  void HandleRing(const Incoming& packet, Instant now);
  void TickRotation(Instant now);
  void TakeRingOfWelcome(const Welcome& welcome, Instant now);
  void TakeRing(const Incoming& packet, Instant now);
  void TellOfRing(std::uint32_t before, const MemberId& from, Instant now);
  void AskForRing(const Incoming& packet, Instant now);
  bool TakesKeysFrom(const MemberId& member, Instant now) const;
  bool WithinDoorBudget(Duration cost, Instant now);
  bool Admits(const Hello& hello, Instant now);
  bool WasHeard(const Hello& hello) const;
  void ProveByHello(const Hello& hello, Instant now);

  // node_secondary.cc
  void TickSecondary(Instant now);
  void FollowLeadership(Instant now);
  void NoticeShutOut(Instant now);
  bool MissesSomebody() const;
  void HandleSecondary(const Incoming& packet, Instant now);
  void TakeFromMember(const MemberId& member, const SecondaryTell& tell, Instant now);
  void TakeFromLeader(const MemberId& leader, const SecondaryTell& tell, Instant now);
  void TakeSecondary(const SecondaryRing& ring, const MemberId& from, std::uint64_t epoch,
                     Instant now);
  void RefuseForeignKeys(const MemberId& leader, Instant now);
  void TellSecondary(const MemberId& to, Instant now);
  void AcknowledgeSecondary(const MemberId& leader, Instant now);
  KeyReport Execute(const KeyOrder& order, Instant now);
  void SendOrder(const KeyOrders::Waiting& waiting, Instant now);

  // node_revoked.cc
  bool GetsNoLease(const MemberId& id) const;
  bool CountsForNothing(const MemberId& id) const;
  void Revoke(const MemberId& id, Instant now);
  void HandleRevoked(const Incoming& packet, Instant now);
  void HearRevoked(const MemberId& by, Instant now);

  Config config_;
  MemberId self_;
  std::uint64_t charter_digest_;
  KeyStream secrets_;
  Random random_;
  Counters counters_;
  std::vector<Event> events_;
  std::size_t events_taken_ = 0;

  PacketProtection protection_;
  Ranking ranking_;
  SecondaryRing secondary_;
  KeyRing ring_;
  PairKeys pair_keys_;
  Handshake handshake_;
  SessionTokens tokens_;
  Membership membership_;
  Discovery discovery_;
  Signer signer_;
  Statements statements_;
  Prober prober_;
  Introductions introductions_;
  Standing standing_;
  Revocations revoked_;
  Electorate electorate_;
  SecondaryRotation rotation_;
  KeyOrders key_orders_;
  LeaseGranter granter_;
  Candidacy candidacy_;
  Outbox outbox_;
  std::array<std::uint8_t, kDatagramSizeMax> draft_{};
  std::array<std::uint8_t, kDatagramSizeMax> opened_{};

  MemberId provisional_;
  std::optional<Leadership> leader_;  // by its own word
  Instant leader_lost_at_;            // since then nobody was, or since the boot
  Awaited awaited_;
  Instant two_sealed_told_ = kNever;
  std::vector<std::uint32_t> contenders_;  // slots that said that they count a quorum
  bool counts_quorum_ = false;
  std::vector<MemberId> turned_away_;  // for whom the alarm was raised
  std::uint32_t electorate_cursor_ = 0;
  int electorate_budget_ = 0;  // datagrams, in this slice of time
  bool leaving_ = false;

  Instant now_;
  Instant ticked_at_;  // when HandleTimeout was called last
  Instant last_authentic_;
  Instant woke_at_ = kNever;  // when it last noticed that it had stood still
  Instant away_since_ = kNever;
  Instant next_away_hello_;
  Instant next_sync_;
  Pace words_pace_{12ms, 8};  // of bitmaps sent, each of which is answered with up to 280 records
  // Of answers to the bitmaps of one member. It asks many in turns; whoever asks in its name does
  // not, since each answer is much longer than the question.
  MemberPaces records_pace_{50ms, 8};
  Instant differed_at_;  // when a member last showed another view
  Instant next_news_;
  Instant next_statements_;
  Pace held_dead_pace_{50ms, 8};
  Instant next_signing_;
  Instant next_contact_;
  Pace answers_;  // that it asks of others, to lead
  Instant next_rivals_ = kNever;
  std::size_t contact_cursor_ = 0;
  Instant next_standing_;
  Instant next_asks_;
  std::size_t ask_cursor_ = 0;
  Instant next_rotation_;
  std::uint32_t lacking_ring_ = 0;  // the tag of the key that was asked for last
  Instant lacking_ring_asked_ = kNever;
  bool has_own_ring_ = true;      // nobody gave it a ring, and nobody has its own
  MemberId ring_leader_;          // from whom it took a ring last, as its leader,
  std::uint64_t ring_order_ = 0;  // and the counter of that datagram
  Instant key_prepared_at_ = kNever;
  int rotations_due_ = 0;  // since somebody was revoked who has the key in use
  Instant revoked_told_ = kNever;
  Instant steps_down_at_ = Instant::max();  // since it was itself revoked
  std::uint32_t secondary_stored_;          // the version in the key file; 0: being written
  std::uint32_t secondary_storing_ = 0;
  std::pair<std::uint64_t, std::uint32_t> secondary_order_;  // epoch, revision: the last obeyed
  std::uint64_t shut_out_accepted_ = 0;                      // the counter as it was last
  Instant shut_out_since_;
  Instant shut_out_told_ = kNever;
  Instant foreign_keys_told_ = kNever;
  Instant door_filled_at_;
  Duration door_budget_{};
};

}  // namespace radix::flock
