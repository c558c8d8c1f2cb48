#include "services/trust/pairing_codec.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/registry/registry_codec.h"
#include "services/trust/trust_codec.h"

namespace radix::trust {
namespace {

constexpr int kKeysMax = 4;  // that an endpoint shows
constexpr std::size_t kCertificateMax = 4096;
constexpr std::size_t kReasonMax = 1024;

absl::Status Malformed(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

absl::StatusOr<Endpoint> NetIdFrom(const std::string& field, const std::string& text) {
  auto endpoint = Endpoint::Parse(text);
  if (!endpoint.ok()) return Malformed(field, std::string(endpoint.status().message()));
  return endpoint;
}

// Who calls or serves. The basic services are vouched for by their nodes, and need no such keys.
absl::StatusOr<Party> PartyFrom(const std::string& field, const std::string& horde,
                                const std::string& service) {
  auto party = Party::Parse(absl::StrCat(horde, "/", service));
  if (!party.ok()) return Malformed(field, std::string(party.status().message()));
  if (horde == "radix") return Malformed(field, "the horde 'radix' is for the basic services");
  return party;
}

absl::Status CheckCertificates(const std::string& field,
                               const google::protobuf::RepeatedPtrField<std::string>& pems) {
  if (pems.size() > kKeysMax) return Malformed(field, absl::StrCat("must be at most ", kKeysMax));
  for (const std::string& pem : pems) {
    if (pem.size() > kCertificateMax) return Malformed(field, "one is longer than 4 KiB");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<KeyId>> KeysFrom(
    const std::string& field, const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<KeyId> keys;
  for (int i = 0; i < texts.size(); ++i) {
    auto key = KeyFrom(absl::StrCat(field, "[", i, "]"), texts[i]);
    if (!key.ok()) return key.status();
    keys.push_back(*key);
  }
  return keys;
}

}  // namespace

absl::StatusOr<KeyId> KeyFrom(const std::string& field, const std::string& text) {
  const auto key = KeyId::Parse(text);
  if (!key) return Malformed(field, "is not 64 lower-case hex digits");
  return *key;
}

absl::StatusOr<GuardedEndpoint> EndpointFrom(const v1::GuardedEndpoint& message) {
  auto endpoint = NetIdFrom("endpoint.net_id", message.net_id());
  if (!endpoint.ok()) return endpoint.status();
  auto service = PartyFrom("endpoint.service", message.horde(), message.service());
  if (!service.ok()) return service.status();
  if (auto ok = registry::CheckApiName("endpoint.api", message.api()); !ok.ok()) return ok;
  if (auto ok = registry::CheckApiName("endpoint.inst", message.inst()); !ok.ok()) return ok;
  if (auto ok = CheckCertificates("endpoint.certificates", message.certificates()); !ok.ok()) {
    return ok;
  }
  if (message.keys().empty() || message.keys_size() > kKeysMax) {
    return Malformed("endpoint.keys", absl::StrCat("must be 1 to ", kKeysMax));
  }
  auto keys = KeysFrom("endpoint.keys", message.keys());
  if (!keys.ok()) return keys.status();
  return GuardedEndpoint{
      .endpoint = *endpoint,
      .api = {message.horde(), message.api()},
      .inst = message.inst(),
      .service = message.service(),
      .keys = *std::move(keys),
      .certificates = {message.certificates().begin(), message.certificates().end()}};
}

v1::GuardedEndpoint ToProto(const GuardedEndpoint& served) {
  v1::GuardedEndpoint message;
  message.set_net_id(served.endpoint.ToString());
  message.set_horde(served.api.horde);
  message.set_api(served.api.service);
  message.set_inst(served.inst);
  message.set_service(served.service);
  for (const KeyId& key : served.keys) message.add_keys(key.ToString());
  for (const std::string& pem : served.certificates) message.add_certificates(pem);
  return message;
}

absl::StatusOr<Pair> PairFrom(const std::string& field, const v1::Pair& message) {
  auto key = KeyFrom(field + ".key", message.key());
  if (!key.ok()) return key.status();
  auto caller = PartyFrom(field + ".service", message.horde(), message.service());
  if (!caller.ok()) return caller.status();
  auto endpoint = NetIdFrom(field + ".net_id", message.net_id());
  if (!endpoint.ok()) return endpoint.status();
  if (auto ok = registry::CheckName(field + ".meant_horde", message.meant_horde()); !ok.ok()) {
    return ok;
  }
  if (message.meant_api().empty() && message.meant_inst().empty()) {
    return Malformed(field + ".meant_api", "is required, or meant_inst");
  }
  if (!message.meant_api().empty()) {
    auto ok = registry::CheckApiName(field + ".meant_api", message.meant_api());
    if (!ok.ok()) return ok;
  }
  if (!message.meant_inst().empty()) {
    auto ok = registry::CheckApiName(field + ".meant_inst", message.meant_inst());
    if (!ok.ok()) return ok;
  }
  return Pair{.key = *key,
              .caller = *std::move(caller),
              .endpoint = *endpoint,
              .meant = {message.meant_horde(), message.meant_api(), message.meant_inst()}};
}

v1::Pair ToProto(const Pair& pair) {
  v1::Pair message;
  message.set_key(pair.key.ToString());
  message.set_horde(pair.caller.horde);
  message.set_service(pair.caller.service);
  message.set_net_id(pair.endpoint.ToString());
  message.set_meant_horde(pair.meant.horde);
  message.set_meant_api(pair.meant.api);
  message.set_meant_inst(pair.meant.inst);
  return message;
}

absl::StatusOr<Admission> AdmissionFrom(const v1::Admission& message) {
  auto key = KeyFrom("key", message.key());
  if (!key.ok()) return key.status();
  if (message.message().size() > kReasonMax) return Malformed("message", "is longer than 1 KiB");
  if (message.endpoint_keys_size() > kKeysMax) {
    return Malformed("endpoint_keys", absl::StrCat("must be at most ", kKeysMax));
  }
  if (auto ok = CheckCertificates("endpoint_certificates", message.endpoint_certificates());
      !ok.ok()) {
    return ok;
  }
  auto keys = KeysFrom("endpoint_keys", message.endpoint_keys());
  if (!keys.ok()) return keys.status();
  return Admission{
      *key,
      absl::Status(static_cast<absl::StatusCode>(message.code()), message.message()),
      *std::move(keys),
      {message.endpoint_certificates().begin(), message.endpoint_certificates().end()}};
}

v1::Admission ToProto(const Admission& admission) {
  v1::Admission message;
  message.set_key(admission.key.ToString());
  message.set_code(static_cast<int>(admission.status.code()));
  message.set_message(std::string(admission.status.message()));
  for (const KeyId& key : admission.endpoint_keys) message.add_endpoint_keys(key.ToString());
  for (const std::string& pem : admission.endpoint_certificates) {
    message.add_endpoint_certificates(pem);
  }
  return message;
}

v1::AdmittedCaller ToProto(const Caller& caller) {
  v1::AdmittedCaller message;
  message.set_key(caller.key.ToString());
  message.set_horde(caller.party.horde);
  message.set_service(caller.party.service);
  message.set_node_fingerprint(caller.node);
  return message;
}

v1::GuardResponse ToProto(const EndpointTable::Update& update) {
  v1::GuardResponse message;
  message.set_number(static_cast<std::int64_t>(update.number));
  message.set_complete(update.complete);
  for (const Caller& caller : update.callers) *message.add_callers() = ToProto(caller);
  for (const KeyId& key : update.gone) message.add_gone(key.ToString());
  for (const KeyId& key : update.forbidden) message.add_forbidden(key.ToString());
  return message;
}

absl::StatusOr<Whitelist::News> NewsFrom(const v1::GuardResponse& message) {
  Whitelist::News news{.complete = message.complete()};
  for (const v1::AdmittedCaller& caller : message.callers()) {
    auto key = KeyFrom("callers.key", caller.key());
    if (!key.ok()) return key.status();
    auto party = PartyFrom("callers.service", caller.horde(), caller.service());
    if (!party.ok()) return party.status();
    news.callers.push_back({*key, *std::move(party), caller.node_fingerprint()});
  }
  auto gone = KeysFrom("gone", message.gone());
  if (!gone.ok()) return gone.status();
  news.gone = *std::move(gone);
  auto forbidden = KeysFrom("forbidden", message.forbidden());
  if (!forbidden.ok()) return forbidden.status();
  news.forbidden = *std::move(forbidden);
  if (message.has_revoked()) {
    auto revoked = RevokedFrom(message.revoked());
    if (!revoked.ok()) return revoked.status();
    news.revoked = *std::move(revoked);
  }
  return news;
}

v1::AnnounceRequest ToProto(const PairTable::Announcement& announcement) {
  v1::AnnounceRequest message;
  for (const Pair& pair : announcement.pairs) *message.add_pairs() = ToProto(pair);
  for (const KeyId& key : announcement.gone) message.add_gone(key.ToString());
  message.set_complete(announcement.complete);
  return message;
}

absl::StatusOr<PairTable::Announcement> AnnouncementFrom(const v1::AnnounceRequest& message) {
  PairTable::Announcement announcement{.complete = message.complete()};
  for (int i = 0; i < message.pairs_size(); ++i) {
    auto pair = PairFrom(absl::StrCat("pairs[", i, "]"), message.pairs(i));
    if (!pair.ok()) return pair.status();
    announcement.pairs.push_back(*std::move(pair));
  }
  auto gone = KeysFrom("gone", message.gone());
  if (!gone.ok()) return gone.status();
  announcement.gone = *std::move(gone);
  return announcement;
}

}  // namespace radix::trust
