#include "clients/cpp/attested_identity.h"

#include <spdlog/spdlog.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/refusals.h"
#include "clients/cpp/subscription.h"
#include "radix/trust/v1/trust.grpc.pb.h"
#include "services/confab/certificate.h"
#include "services/confab/connections.h"
#include "services/confab/fingerprint.h"
#include "services/confab/identity.h"
#include "services/confab/key_id.h"
#include "services/confab/node_key.h"
#include "services/confab/timer_thread.h"
#include "services/confab/tls.h"
#include "services/trust/rules.h"

namespace radix {
namespace {

using confab::Shown;
using trust::v1::TrustService;

constexpr char kHorde[] = "radix";

// The nodes that live, and what is not believed any more, by the word of this node's reeve. What it
// said last holds while it is away. Thread-safe.
class Peers {
 public:
  // Returns whether it changed who is believed.
  bool Take(const trust::v1::WatchPeersResponse& message) {
    const std::lock_guard lock(mutex_);
    if (message.snapshot()) {
      addresses_.clear();
      fingerprints_.clear();
    }
    for (const trust::v1::NodeKey& node : message.nodes()) {
      const auto address = IpAddress::Parse(node.address());
      if (address.ok()) Replace(*address, node);
    }
    const bool same_contact = std::exchange(cut_off_, message.cut_off()) == message.cut_off();
    if (!message.has_revoked()) return !same_contact;
    std::set<std::string> keys(message.revoked().keys().begin(), message.revoked().keys().end());
    std::set<std::uint64_t> nodes(message.revoked().node_fingerprints().begin(),
                                  message.revoked().node_fingerprints().end());
    if (keys == revoked_keys_ && nodes == revoked_nodes_) return !same_contact;
    revoked_keys_ = std::move(keys);
    revoked_nodes_ = std::move(nodes);
    return true;
  }

  bool IsRevoked(const KeyId& key) const {
    const std::lock_guard lock(mutex_);
    return revoked_keys_.contains(key.ToString());
  }
  bool IsRevoked(std::uint64_t fingerprint) const {
    const std::lock_guard lock(mutex_);
    return revoked_nodes_.contains(fingerprint);
  }

  // Whether the node has been without a leader for too long to know what was revoked.
  bool cut_off() const {
    const std::lock_guard lock(mutex_);
    return cut_off_;
  }

  std::optional<IpAddress> AddressOf(std::uint64_t fingerprint) const {
    const std::lock_guard lock(mutex_);
    const auto found = addresses_.find(fingerprint);
    if (found == addresses_.end()) return std::nullopt;
    return found->second;
  }

 private:
  // One address has one key; a key that two addresses claim is that of the later.
  void Replace(const IpAddress& address, const trust::v1::NodeKey& node) {
    const auto before = fingerprints_.find(address);
    if (before != fingerprints_.end()) {
      const auto owner = addresses_.find(before->second);
      if (owner != addresses_.end() && owner->second == address) addresses_.erase(owner);
      fingerprints_.erase(before);
    }
    if (!node.has_key_fingerprint()) return;
    fingerprints_[address] = node.key_fingerprint();
    addresses_[node.key_fingerprint()] = address;
  }

  mutable std::mutex mutex_;
  std::map<std::uint64_t, IpAddress> addresses_;
  std::map<IpAddress, std::uint64_t> fingerprints_;  // the other way round
  std::set<std::string> revoked_keys_;
  std::set<std::uint64_t> revoked_nodes_;
  bool cut_off_ = false;
};

// A peer that is who its certificate says.
struct Peer {
  std::string service;
  IpAddress address;

  std::string ToString() const { return absl::StrCat(service, " of ", address.ToString()); }
};

// Who came with a key of `radix keys issue`. The services of other nodes are let in even so:
// without them there will not be a leader again.
bool IsOperator(const Peer& peer) { return peer.service.starts_with("operator."); }

std::string ShortOf(const Shown& shown) {
  return absl::StrCat("key ", shown.key.ToString().substr(0, 16));
}

absl::StatusOr<Peer> Identify(const absl::StatusOr<Shown>& shown, const std::string& flock_id,
                              const Peers& nodes) {
  if (!shown.ok()) return shown.status();
  if (shown->attestation.empty()) {
    return absl::UnauthenticatedError(absl::StrCat(ShortOf(*shown), ": no node vouches for it"));
  }
  const auto attestation = confab::ReadAttestation(shown->attestation, flock_id, shown->key);
  if (!attestation) {
    return absl::UnauthenticatedError(
        absl::StrCat(ShortOf(*shown), ": what vouches for it is forged, or of another flock"));
  }
  if (nodes.IsRevoked(shown->key)) {
    return absl::UnauthenticatedError(
        absl::StrCat(ShortOf(*shown), " of ", attestation->service, ": it was revoked"));
  }
  const std::uint64_t fingerprint = FingerprintOf(attestation->node);
  if (nodes.IsRevoked(fingerprint)) {
    return absl::UnauthenticatedError(
        absl::StrCat(ShortOf(*shown), " of ", attestation->service, ": its node was revoked"));
  }
  const auto address = nodes.AddressOf(fingerprint);
  if (!address) {
    return absl::UnauthenticatedError(absl::StrCat(ShortOf(*shown), " of ", attestation->service,
                                                   ": its node is no living member"));
  }
  return Peer{attestation->service, *address};
}

// Whether a caller may come in.
absl::Status CheckCaller(const absl::StatusOr<Shown>& shown, const std::string& flock_id,
                         const Peers& peers, const trust::Party& called) {
  const auto peer = Identify(shown, flock_id, peers);
  if (!peer.ok()) return SayRefused("a caller", peer.status());
  if (IsOperator(*peer) && peers.cut_off()) {
    return SayRefused("a caller",
                      absl::PermissionDeniedError(absl::StrCat(
                          ShortOf(*shown), ": ", peer->ToString(),
                          ": this node has had no leader for so long that it cannot know what was "
                          "revoked; see 'grace' in the rules")));
  }
  static const trust::Rules built_in;
  const auto verdict = built_in.Decide(trust::Verb::kCall, {kHorde, peer->service}, called);
  if (verdict.allowed) return absl::OkStatus();
  return SayRefused("a caller", absl::PermissionDeniedError(absl::StrCat(
                                    ShortOf(*shown), ": ", peer->ToString(), " may not call ",
                                    called.ToString(), ": ", verdict.Reason())));
}

// Whether a server is who is meant.
absl::Status CheckServer(const absl::StatusOr<Shown>& shown, const std::string& flock_id,
                         const Peers& peers, const IpAddress& address, const std::string& service) {
  const auto peer = Identify(shown, flock_id, peers);
  if (!peer.ok()) return SayRefused("a server", peer.status());
  if (peer->address == address && peer->service == service) return absl::OkStatus();
  return SayRefused("a server", absl::PermissionDeniedError(
                                    absl::StrCat(ShortOf(*shown), ": it is ", peer->ToString(),
                                                 ", not ", service, " of ", address.ToString())));
}

// The servers of this process, whose connections end when their callers are not believed any more.
// Thread-safe.
class Guarded {
 public:
  using CheckConnection = std::function<bool(const Shown&)>;

  void Add(const std::shared_ptr<confab::Connections>& connections, CheckConnection may_stay) {
    const std::lock_guard lock(mutex_);
    servers_.emplace_back(connections, std::move(may_stay));
  }
  void Recheck() {
    const std::lock_guard lock(mutex_);
    for (const auto& [server, may_stay] : servers_) {
      const auto connections = server.lock();
      if (connections == nullptr) continue;
      const std::size_t ended = connections->Recheck(may_stay);
      if (ended > 0) spdlog::info("who is believed has changed: {} connections were ended", ended);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::weak_ptr<confab::Connections>, CheckConnection>> servers_;
};

class AttestedIdentity final : public confab::Identity {
 public:
  static absl::StatusOr<std::shared_ptr<Identity>> Make(const confab::Node& node,
                                                        const std::string& service) {
    const auto seed = confab::LoadOrMakeNodeKey(node.state);
    if (!seed.ok()) return seed.status();
    auto issuer = confab::TlsIssuer::From(confab::IssuerSecretOf(*seed));
    if (!issuer.ok()) return issuer.status();
    const auto key = MakeKey(*seed, node.flock_id, service, &*issuer);
    if (!key.ok()) return key.status();
    auto shown = confab::TlsIdentity::Make(*key);
    if (!shown.ok()) return shown.status();
    return std::make_shared<AttestedIdentity>(node, service, *seed, *std::move(issuer),
                                              *std::move(shown));
  }

  AttestedIdentity(const confab::Node& node, std::string service, const confab::NodeKeySeed& seed,
                   confab::TlsIssuer issuer, std::shared_ptr<confab::TlsIdentity> shown)
      : service_(std::move(service)),
        flock_id_(node.flock_id),
        seed_(seed),
        issuer_(std::move(issuer)),
        shown_(std::move(shown)),
        reeve_(WatchLocal<TrustService>(node, "reeve", &TrustService::Stub::async::WatchPeers),
               [this](const trust::v1::WatchPeersResponse& message) {
                 if (peers_->Take(message)) guarded_->Recheck();
                 if (message.roll()) Roll();
               }),
        timer_([this, first = true](Instant now) mutable {
          if (!std::exchange(first, false)) Roll();
          return now + kRollPeriod;
        }) {}

  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ForServer(
      const confab::Served& served,
      const std::shared_ptr<confab::Connections>& connections) override {
    const auto check =
        [peers = peers_, flock_id = flock_id_,
         called = trust::Party{served.horde, served.api}](const absl::StatusOr<Shown>& shown) {
          return CheckCaller(shown, flock_id, *peers, called);
        };
    guarded_->Add(connections, [check](const Shown& shown) { return check(shown).ok(); });
    return confab::ServerTls(shown_, check, connections);
  }

  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForChannel(
      const Endpoint& to, const std::string& service) override {
    // A key for each endpoint that is called.
    const auto key = MakeKey(seed_, flock_id_, service_, nullptr);
    if (!key.ok()) return key.status();
    return confab::ClientTls(*key, [peers = peers_, flock_id = flock_id_, address = to.ip,
                                    service](const absl::StatusOr<Shown>& shown) {
      return CheckServer(shown, flock_id, *peers, address, service);
    });
  }

  void Introduce(const confab::Callee& /*to*/, OnIntroduced done) override {
    done(absl::FailedPreconditionError("a basic service calls no applications"));
  }

 private:
  static constexpr Duration kRollPeriod = 12h;

  static absl::StatusOr<confab::TlsKey> MakeKey(const confab::NodeKeySeed& seed,
                                                const std::string& flock_id,
                                                const std::string& service,
                                                const confab::TlsIssuer* issuer) {
    return confab::TlsKey::Make(
        [&](const KeyId& id) { return confab::Attest(seed, flock_id, service, id); }, issuer);
  }

  // Another key, of which nobody has to be told: the node vouches for it as for the old one.
  void Roll() {
    const auto key = MakeKey(seed_, flock_id_, service_, &issuer_);
    const absl::Status replaced = key.ok() ? shown_->Replace(*key) : key.status();
    if (!replaced.ok()) spdlog::error("the key stays: {}", std::string(replaced.message()));
  }

  const std::string service_;
  const std::string flock_id_;
  const confab::NodeKeySeed seed_;
  const confab::TlsIssuer issuer_;
  const std::shared_ptr<confab::TlsIdentity> shown_;
  const std::shared_ptr<Peers> peers_ = std::make_shared<Peers>();
  const std::shared_ptr<Guarded> guarded_ = std::make_shared<Guarded>();
  // Last: their threads use the others.
  Subscription<trust::v1::WatchPeersResponse> reeve_;
  confab::TimerThread timer_;
};

}  // namespace

absl::StatusOr<Network> AttestedNetwork(const confab::Node& node, const std::string& service) {
  auto identity = AttestedIdentity::Make(node, service);
  if (!identity.ok()) return identity.status();
  Network network{node};
  network.node.identity = *std::move(identity);
  return network;
}

}  // namespace radix
