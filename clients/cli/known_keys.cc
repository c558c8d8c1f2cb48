#include "clients/cli/known_keys.h"

#include <array>
#include <ctime>
#include <map>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/decisions.h"
#include "radix/trust/v1/pairing.grpc.pb.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/trust/issued.h"
#include "services/trust/revoked.h"

namespace radix::cli {
namespace {

using trust::v1::ListKeysResponse;
using trust::v1::PairingService;

constexpr std::string_view kOfKey = "key/";  // where others are of nodes

std::string StateOf(const trust::v1::CallingKey& calling) {
  if (!calling.has_admission()) return "asked for";
  if (calling.admission().code() == 0) return "let in";
  return absl::StrCat("refused: ", calling.admission().message());
}

// In UTC.
std::string TimeOf(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "a time that is none";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

void AddApplications(const ListKeysResponse& keys, std::vector<KnownKey>& known) {
  for (const auto& each : keys.endpoints()) {
    for (const std::string& key : each.keys()) {
      known.push_back({key, "serves", absl::StrCat(each.horde(), "/", each.service()),
                       absl::StrCat(each.horde(), "/", each.inst()), each.net_id(), "shown"});
    }
  }
  for (const auto& each : keys.calling()) {
    const auto& pair = each.pair();
    known.push_back({pair.key(), "calls", absl::StrCat(pair.horde(), "/", pair.service()),
                     absl::StrCat(pair.meant_horde(), "/",
                                  pair.meant_inst().empty() ? pair.meant_api() : pair.meant_inst()),
                     pair.net_id(), StateOf(each)});
  }
  for (const auto& each : keys.let_in()) {
    known.push_back({each.caller().key(), "is let in",
                     absl::StrCat(each.caller().horde(), "/", each.caller().service()),
                     absl::StrCat(each.horde(), "/", each.inst()), each.net_id(),
                     absl::StrCat("from node key ",
                                  absl::Hex(each.caller().node_fingerprint(), absl::kZeroPad16))});
  }
}

// By key, when it was revoked.
using RevokedAt = std::map<std::string, std::string>;

absl::StatusOr<RevokedAt> RevokedKeysAt(const LabNode& node) {
  const auto decisions = DecisionsAt(node, trust::Revoked::kKind);
  if (!decisions.ok()) return decisions.status();
  RevokedAt revoked;
  for (const proctor::v1::Decision& each : *decisions) {
    trust::v1::Revocation why;
    if (!each.key().starts_with(kOfKey) || !why.ParseFromString(each.value())) continue;
    revoked[each.key().substr(kOfKey.size())] = TimeOf(why.revoke_time());
  }
  return revoked;
}

absl::Status AddIssued(const LabNode& node, std::vector<KnownKey>& known) {
  const auto decisions = DecisionsAt(node, trust::kIssuedKind);
  if (!decisions.ok()) return decisions.status();
  for (const proctor::v1::Decision& each : *decisions) {
    trust::v1::IssuedKey issued;
    if (!each.key().starts_with(kOfKey) || !issued.ParseFromString(each.value())) continue;
    known.push_back({each.key().substr(kOfKey.size()), "was issued",
                     absl::StrCat("radix/operator.", issued.service()),
                     absl::StrCat("radix/", issued.service()), "",
                     absl::StrCat("by ", issued.node(), " on ", TimeOf(issued.issue_time()))});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<KnownKey>> KeysKnownAt(const LabNode& node) {
  std::vector<KnownKey> known;
  const auto keys = Ask<PairingService>(node, "reeve", &PairingService::Stub::async::ListKeys, {});
  if (!keys.ok()) return keys.status();
  AddApplications(*keys, known);
  if (absl::Status added = AddIssued(node, known); !added.ok()) return added;
  auto revoked = RevokedKeysAt(node);
  if (!revoked.ok()) return revoked.status();
  RevokedAt others = *revoked;
  for (KnownKey& each : known) {
    others.erase(each.key);
    const auto found = revoked->find(each.key);
    if (found != revoked->end()) absl::StrAppend(&each.state, "; revoked on ", found->second);
  }
  for (const auto& [key, when] : others) {
    known.push_back({key, "was revoked", "", "", "", absl::StrCat("on ", when)});
  }
  return known;
}

std::string Sentence(const KnownKey& key) {
  std::string text = absl::StrCat("key ", key.key);
  if (key.who.empty()) return absl::StrCat(text, " ", key.role, " ", key.state);
  if (key.net_id.empty()) {
    return absl::StrCat(text, " ", key.role, " to call ", key.what, " of every node, ", key.state);
  }
  return absl::StrCat(text, ": ", key.who, " ", key.role, " ", key.role == "is let in" ? "by " : "",
                      key.what, " at ", key.net_id, "; ", key.state);
}

}  // namespace radix::cli
