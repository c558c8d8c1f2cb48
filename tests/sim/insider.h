// Somebody who is a member, and lies.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/flock/handshake.h"
#include "services/flock/key_ring.h"
#include "services/flock/packet_protection.h"
#include "services/flock/pair_keys.h"
#include "services/flock/statement.h"
#include "tests/sim/cluster.h"

namespace radix::sim {

// Has what a member has: the bloc's keys, and one identity. Its node goes on running the production
// core, so it is a member in good standing, with or without a vote; besides, it sends lies from
// that node's address: about others in its own name, in the name of others, in the name of members
// that it invents, and what leaders say, under the keys that it shares with each. What it has not
// are the others' identity keys and addresses. Not thread-safe.
class Insider {
 public:
  // Uses `node` of `cluster`, which is up, and its hooks lets_pass and on_deliver through Hear.
  Insider(Cluster& cluster, std::size_t node);

  // What the node sends, and what comes for it. NoteSent returns whether it lets that pass.
  bool NoteSent(std::size_t to, std::span<const std::uint8_t> bytes);
  void NoteReceived(std::span<const std::uint8_t> bytes);

  // Says HELLO to a node, to learn the transient key.
  void AskForKeys();
  // Tells one lie, of any kind, to everybody whom the node talked to.
  void Lie();
  // Says under its own name that `victim` did not answer; and that a ghost, and another member,
  // said so, too.
  void AccuseSigned(std::size_t victim);
  void AccuseByGhosts(std::size_t victim);
  void AccuseInOthersNames(std::size_t victim);
  // "`victim` leaves", signed by whom it can.
  void SayGoodBye(std::size_t victim);
  // That its machine booted again.
  void SayReplaced(std::size_t victim);
  // Lists those that it invents.
  void InventMembers();
  // Says that it uses a transient key that nobody has; who asks for that is given, by AnswerHellos,
  // a ring that is greater than any other.
  void OfferRing();
  void AnswerHellos();
  // What only members say to each other in pairs, to all that share a key with it: that it is the
  // sealed leader under `epoch`, and asks for leases under `ask`; that only `itself` has a vote;
  // that a key of its own is the secondary one.
  void SayItLeads(std::uint64_t epoch, std::uint64_t ask);
  void TellList(std::uint64_t epoch);
  void TellKeys(std::uint64_t epoch);
  std::uint32_t told_key() const;
  // That `victim`, which refuted once more, is known by its own key.
  void TakeIdentity(std::size_t victim);
  // Whether that key was one of these.
  bool Offered(std::uint32_t tag) const;

  // Sends a lie only in the place of a datagram of its node's, so that others go on hearing that.
  void set_patient(bool patient) { patient_ = patient; }

  std::size_t node() const { return node_; }
  // How many datagrams full of lies were taken in.
  std::uint64_t lies() const { return lies_; }

 private:
  struct Ghost {
    flock::MemberId id;
    flock::Key seed{};
    std::uint32_t incarnation = 1;
  };

  void SendHello(std::size_t to, std::optional<std::uint64_t> token);
  std::size_t AnyHonest();
  flock::Record RecordOf(std::size_t node);
  flock::Record RecordOf(const Ghost& ghost) const;
  flock::Writer Begin(std::uint32_t ring_tag);
  flock::Writer Begin() { return Begin(key_tag_); }
  void SendToAll(const flock::Writer& body, flock::PacketType type = flock::PacketType::kGroup);
  void SendToPairs(const std::function<void(std::size_t to, flock::Writer&)>& append);
  void NotePair(const flock::Header& header, std::span<const std::uint8_t> bytes);
  void SendStatement(const std::vector<std::uint8_t>& statement);
  void SendRecord(const flock::Record& record);
  std::vector<std::uint8_t> Accusation(const flock::Key& seed, const flock::MemberId& author,
                                       std::size_t victim);
  void AccuseByHearsay(std::size_t victim);
  void SayDead(std::size_t victim);
  void SayAbsurd(std::size_t victim);
  void LieInPairs();

  Cluster& cluster_;
  std::size_t node_;
  Random random_;
  flock::MemberId self_;
  flock::PacketProtection protection_;
  flock::SecondaryRing secondary_;
  flock::KeyStream secrets_;
  flock::Handshake handshake_;
  flock::KeyRing ring_;
  flock::PairKeys pair_keys_;
  flock::Key told_key_{};
  std::uint32_t sequence_ = 1U << 30;    // of requests: above those of its node
  std::vector<std::uint64_t> answered_;  // by node: the last answer to a request
  std::vector<std::uint64_t> counters_;  // by node; 0: its node did not talk to that yet
  std::vector<bool> fresh_;              // by node; its node sent something since the last lie
  bool patient_ = false;
  std::vector<Ghost> ghosts_;
  std::array<std::uint8_t, flock::kDatagramSizeMax> draft_{};
  std::size_t hello_to_ = 0;   // the node that got the last HELLO
  std::uint64_t lies_ = 0;     // that somebody took in
  std::uint32_t key_tag_ = 0;  // of the transient key in use; 0: not known yet
  std::vector<std::pair<std::size_t, flock::Hello>> asked_;  // it for its ring: who
  std::vector<std::uint8_t> false_ring_;                     // encoded
  std::vector<std::uint32_t> offered_;
};

}  // namespace radix::sim
