#include "services/flock/flock.h"

#include <sodium.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "services/flock/mutant.h"
#include "services/flock/node.h"

namespace radix::flock {
namespace {

absl::Status Invalid(const std::string& field, const std::string& what) {
  return absl::InvalidArgumentError(field + ": " + what);
}

absl::Status Check(const Config& config) {
  const Tunables& t = config.tunables;
  if (config.slot >= config.charter.ranges.size()) {
    return Invalid("slot", "is not in the charter's ranges");
  }
  if (config.charter.quorum * 2 <= config.charter.at_most) {
    return Invalid("charter.quorum", "must be more than half of at_most");
  }
  if (config.boot == 0) return Invalid("boot", "must not be 0");
  if (config.secondary_keys.empty() || config.secondary_keys.size() > kSecondaryKeysMax) {
    return Invalid("secondary_keys", "must be 1 to 3");
  }
  if (config.introduction.size() > kIntroductionSizeMax) {
    return Invalid("introduction", "must be at most 256 bytes");
  }
  if (t.probe_timeout <= 0ms || 2 * t.probe_timeout > t.probe_interval) {
    return Invalid("tunables.probe_timeout", "must be above 0 and at most half of probe_interval");
  }
  if (t.suspicion_shortest <= 0ms || t.suspicion_shortest > t.suspicion_longest) {
    return Invalid("tunables.suspicion_shortest", "must be above 0 and at most suspicion_longest");
  }
  if (t.renew_interval <= 0ms || 2 * t.renew_interval > t.lease || t.request_interval <= 0ms) {
    return Invalid("tunables.renew_interval", "must be above 0 and at most half of lease");
  }
  if (t.clock_drift_e4 > 1000) return Invalid("tunables.clock_drift_e4", "must be at most 1000");
  if (t.contact_interval <= 0ms || t.contact_interval > t.contact_timeout) {
    return Invalid("tunables.contact_interval", "must be above 0 and at most contact_timeout");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Flock> Flock::Create(Config config, Instant now) {
  if (sodium_init() < 0) return absl::InternalError("libsodium does not initialise");
  if (absl::Status status = Check(config); !status.ok()) return status;
  if (IsBroken(Rule::kQuorumIsMoreThanHalf)) config.charter.quorum = config.charter.at_most / 2;
  return Flock(std::make_unique<Node>(std::move(config), now));
}

Flock::Flock(std::unique_ptr<Node> node) : node_(std::move(node)) {}
Flock::Flock(Flock&&) noexcept = default;
Flock& Flock::operator=(Flock&&) noexcept = default;
Flock::~Flock() = default;

void Flock::HandleDatagram(const Endpoint& from, std::span<const std::uint8_t> bytes, Instant now) {
  node_->HandleDatagram(from, bytes, now);
}
void Flock::HandleTimeout(Instant now) { node_->HandleTimeout(now); }
void Flock::HandlePersisted(const Promise& promise, Instant now) {
  node_->HandlePersisted(promise, now);
}

void Flock::HandleNotPersisted(const Promise& promise, Instant now) {
  node_->HandleNotPersisted(promise, now);
}
void Flock::Leave(Instant now) { node_->Leave(now); }
bool Flock::RequestIntroduction(std::uint32_t slot, Instant now) {
  return node_->RequestIntroduction(slot, now);
}
std::uint64_t Flock::OrderKeys(const KeyOrder& order, Instant now) {
  return node_->OrderKeys(order, now);
}
std::optional<KeyAnswer> Flock::PollKeyAnswer() { return node_->PollKeyAnswer(); }
std::optional<KeyFile> Flock::PollKeyFile() { return node_->PollKeyFile(); }
void Flock::HandleKeyFileStored(std::uint32_t version, Instant now) {
  node_->HandleKeyFileStored(version, now);
}
void Flock::SetRevoked(std::vector<std::uint64_t> fingerprints, Instant now) {
  node_->SetRevoked(std::move(fingerprints), now);
}
std::optional<Transmit> Flock::PollTransmit() { return node_->PollTransmit(); }
std::optional<Promise> Flock::PollPersist() { return node_->PollPersist(); }
std::optional<Event> Flock::PollEvent() { return node_->PollEvent(); }
Instant Flock::NextTimeout() const { return node_->NextTimeout(); }

MemberId Flock::self() const { return node_->self(); }
Key Flock::public_key() const { return node_->pair_keys().public_key(); }

std::vector<MemberView> Flock::Members(Instant now) const {
  const MemberTable& table = node_->membership().table();
  std::vector<MemberView> views;
  views.reserve(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Member& member = table.at(i);
    const bool in_contact =
        member.slot == node_->self().slot || node_->membership().IsInContact(member, now);
    views.push_back({member.id(), member.incarnation, member.state, in_contact, member.fingerprint,
                     node_->IsRevoked(member.id())});
  }
  std::ranges::sort(views, {}, &MemberView::id);
  return views;
}

std::uint32_t Flock::live_count() const { return node_->membership().table().live_count(); }
std::uint64_t Flock::view_hash() const { return node_->membership().table().view_hash(); }
MemberId Flock::provisional_leader() const { return node_->provisional(); }

std::optional<Leadership> Flock::sealed_leader(Instant now) const {
  if (const auto own = own_leadership(now)) return own;
  const auto known = node_->KnownLeader(now);
  if (known && known->leader == node_->self()) return std::nullopt;
  return known;
}

std::optional<Leadership> Flock::own_leadership(Instant now) const {
  const Candidacy& candidacy = node_->candidacy();
  const auto until = candidacy.sealed_until(now);
  if (!until) return std::nullopt;
  return Leadership{node_->self(), candidacy.sealed_epoch(), *until};
}

std::optional<Leadership> Flock::own_grant(Instant now) const {
  const auto grant = node_->granter().grant(now);
  if (!grant || node_->IsRevoked(grant->promise.holder)) return std::nullopt;
  return Leadership{grant->promise.holder, grant->promise.epoch, grant->until};
}

Promise Flock::promise() const { return node_->granter().promise(); }
bool Flock::has_vote() const { return node_->electorate().HasVote(self().slot); }
std::uint32_t Flock::contact_count(Instant now) const { return node_->ContactCount(now); }
std::uint32_t Flock::quorum() const { return node_->config().charter.quorum; }
std::uint64_t Flock::StateDigest(Instant now) const { return node_->StateDigest(now); }

std::uint32_t Flock::transient_key_id() const { return node_->ring().current().tag; }
std::uint32_t Flock::secondary_key_id() const { return node_->secondary().current().tag; }
std::vector<Key> Flock::secondary_keys() const { return node_->secondary().keys(); }
std::vector<std::uint32_t> Flock::PeersToRemember() const { return node_->PeersToRemember(); }
std::size_t Flock::member_memory_bytes() const { return node_->memory_bytes(); }
const Counters& Flock::counters() const { return node_->counters(); }

}  // namespace radix::flock
