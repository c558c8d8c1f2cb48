// All that a datagram may change, in one number: how tests see that one changed nothing.

#include <cstdint>

#include "services/flock/node.h"

namespace radix::flock {
namespace {

class Digest {
 public:
  void Add(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x9e3779b97f4a7c15;
    state_ ^= state_ >> 29;
  }
  void Add(const MemberId& id) {
    Add(id.slot);
    Add(id.boot);
  }
  void Add(Instant at) { Add(static_cast<std::uint64_t>(at.time_since_epoch().count())); }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace

std::uint64_t Flock::Node::StateDigest(Instant now) const {
  Digest digest;
  const MemberTable& table = membership_.table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Member& member = table.at(i);
    digest.Add(member.id());
    digest.Add(member.fingerprint);
    digest.Add(std::uint64_t{member.incarnation} << 8 | static_cast<std::uint64_t>(member.state));
  }
  for (std::size_t i = 0; i < table.contact_count(); ++i) {
    const Contact& contact = table.contact_at(i);
    digest.Add(contact.slot);
    digest.Add(std::uint64_t{contact.ring_tag} << 32 | contact.ring_ack);
    digest.Add(std::uint64_t{contact.beat_flags} << 32 | contact.view);
    digest.Add(contact.proven ? 1 : 0);
    digest.Add(contact.window.Digest());
    digest.Add(contact.pair_window.Digest());
    digest.Add(contact.heard_at);
    digest.Add(contact.hears_us_at);
  }
  digest.Add(ring_.version());
  digest.Add(ring_.retired_count());
  digest.Add(has_own_ring_ ? 1 : 0);
  digest.Add(ring_order_);
  digest.Add(secondary_.version());
  digest.Add(secondary_order_.first);
  digest.Add(secondary_order_.second);
  digest.Add(pair_keys_.memory_bytes());
  digest.Add(granter_.promise().epoch);
  digest.Add(granter_.promise().holder);
  if (const auto grant = granter_.grant(now)) {
    digest.Add(grant->promise.epoch);
    digest.Add(grant->promise.holder);
    digest.Add(grant->until);
  }
  digest.Add(candidacy_.asking_epoch());
  digest.Add(candidacy_.sealed_epoch());
  digest.Add(candidacy_.lease_count(now));
  if (leader_) {
    digest.Add(leader_->leader);
    digest.Add(leader_->epoch);
    digest.Add(leader_->until);
  }
  digest.Add(provisional_);
  digest.Add(electorate_.count());
  digest.Add(membership_.suspicions().size());
  digest.Add(statements_.empty() ? 0 : 1);
  digest.Add(events_.size());
  digest.Add(last_authentic_);
  return digest.value();
}

}  // namespace radix::flock
