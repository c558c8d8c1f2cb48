#include "services/proctor/document_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/proctor/document.h"
#include "services/proctor/document_hordes_codec.h"
#include "services/registry/hordes_codec.h"
#include "services/trust/issued.h"
#include "services/trust/revoked.h"
#include "services/trust/rules.h"

namespace radix::proctor {
namespace {

constexpr std::size_t kKindMax = 255;
constexpr std::size_t kKeyMax = 1024;
constexpr std::size_t kValueMax = std::size_t{64} * 1024;
constexpr std::size_t kInventoryMax = kBodyMax / 2;  // so that a full one leaves room
// Only what is revoked, and rules, may take: however many manifests and hordes there are, a key can
// be revoked.
constexpr std::size_t kReserved = std::size_t{128} * 1024;

bool IsOperators(const v1::Decision& decision) {
  return decision.kind() == trust::Revoked::kKind || decision.kind() == trust::kIssuedKind ||
         decision.kind() == trust::Rules::kKind || decision.kind() == registry::Hordes::kKind;
}

// Of those whose number others have in their hands. A key can be revoked, and a rule mended, though
// these are as many as there may be.
std::size_t SizeOfInventory(const v1::DocumentBody& body) {
  std::size_t size = 0;
  for (const v1::Decision& decision : body.decisions()) {
    if (!IsOperators(decision)) size += decision.ByteSizeLong();
  }
  return size;
}

std::size_t SizeOfUnreserved(const v1::DocumentBody& body) {
  std::size_t size = body.ByteSizeLong();
  for (const v1::Decision& each : body.decisions()) {
    const bool may_take =
        each.kind() == trust::Revoked::kKind || each.kind() == trust::Rules::kKind;
    if (may_take) size -= each.ByteSizeLong();
  }
  return size;
}

// Nobody takes a revocation back: whoever has the key would be let in again.
absl::Status CheckRevocation(const std::string& value) {
  if (value.empty() || !trust::v1::Revocation().ParseFromString(value)) {
    return absl::InvalidArgumentError(
        "decision.value: must be a radix.trust.v1.Revocation with a revoke_time: what was revoked "
        "stays so; a node comes back with a new key, which it makes when STATE/node.key is gone");
  }
  return absl::OkStatus();
}

absl::Status CheckIssued(const std::string& value) {
  if (value.empty() || trust::v1::IssuedKey().ParseFromString(value)) return absl::OkStatus();
  return absl::InvalidArgumentError("decision.value: must be a radix.trust.v1.IssuedKey");
}

absl::Status CheckKeyOrNode(const v1::Decision& decision) {
  const std::string& key = decision.key();
  const bool issued = decision.kind() == trust::kIssuedKind;
  const auto is_hex = [](char each) {
    return (each >= '0' && each <= '9') || (each >= 'a' && each <= 'f');
  };
  for (const auto& [prefix, digits] : {std::pair("key/", 64U), std::pair("node/", 16U)}) {
    const std::size_t from = std::strlen(prefix);
    if (key.starts_with(prefix) && key.size() == from + digits &&
        std::all_of(key.begin() + static_cast<std::ptrdiff_t>(from), key.end(), is_hex)) {
      return issued ? CheckIssued(decision.value()) : CheckRevocation(decision.value());
    }
  }
  return absl::InvalidArgumentError(
      "decision.key: must be key/ and 64 hex digits, or node/ and 16 hex digits");
}

absl::Status Full(const std::string& what, std::size_t size, std::size_t most,
                  const std::string& advice) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "the group's ", what, " would need ", size, " bytes; at most ", most, " are kept; ", advice));
}

}  // namespace

void Replace(v1::DocumentBody& body, const v1::Manifest& manifest) {
  v1::DocumentBody before;
  before.mutable_manifests()->Swap(body.mutable_manifests());
  bool placed = manifest.services().empty();
  for (v1::Manifest& other : *before.mutable_manifests()) {
    if (other.name() == manifest.name()) continue;
    if (!placed && other.name() > manifest.name()) {
      *body.add_manifests() = manifest;
      placed = true;
    }
    *body.add_manifests() = std::move(other);
  }
  if (!placed) *body.add_manifests() = manifest;
}

void Replace(v1::DocumentBody& body, const v1::Decision& decision) {
  auto& all = *body.mutable_decisions();
  for (int i = 0; i < all.size(); ++i) {
    if (all[i].kind() != decision.kind() || all[i].key() != decision.key()) continue;
    all.DeleteSubrange(i, 1);
    break;
  }
  if (decision.value().empty()) return;
  *all.Add() = decision;
  std::sort(all.begin(), all.end(), [](const v1::Decision& a, const v1::Decision& b) {
    return std::tie(a.kind(), a.key()) < std::tie(b.kind(), b.key());
  });
}

absl::Status Edit(v1::DocumentBody& body, const v1::Manifest& manifest) {
  if (absl::Status status = CheckHordes(body, manifest); !status.ok()) return status;
  Replace(body, manifest);
  return absl::OkStatus();
}

absl::Status Edit(v1::DocumentBody& body, const v1::ProposeRequest& request) {
  const v1::Decision& decision = request.decision();
  if (request.has_expected_checksum()) {
    std::string now;
    for (const v1::Decision& each : body.decisions()) {
      if (each.kind() == decision.kind() && each.key() == decision.key()) now = each.value();
    }
    const std::string checksum = now.empty() ? "" : Sha256(now);
    if (checksum != request.expected_checksum() && now != decision.value()) {
      return absl::AbortedError(
          absl::StrCat("the decision ", decision.kind(), "/", decision.key(),
                       " is not what was expected: somebody else has changed it meanwhile"));
    }
  }
  if (absl::Status status = CheckHordes(body, decision); !status.ok()) return status;
  Replace(body, decision);
  return absl::OkStatus();
}

absl::Status CheckDecision(const v1::Decision& decision) {
  for (const auto& [field, text, most] : {std::tuple("kind", &decision.kind(), kKindMax),
                                          std::tuple("key", &decision.key(), kKeyMax)}) {
    if (text->empty() || text->size() > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("decision.", field, ": must have 1 to ", most, " bytes"));
    }
  }
  if (decision.value().size() > kValueMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("decision.value: longer than ", kValueMax, " bytes"));
  }
  if (decision.kind() == trust::Revoked::kKind || decision.kind() == trust::kIssuedKind) {
    return CheckKeyOrNode(decision);
  }
  if (decision.kind() == registry::Hordes::kKind) {
    registry::Hordes hordes;
    const std::string value =
        decision.value().empty() ? registry::ToBytes(registry::Horde()) : decision.value();
    return registry::AddHorde(decision.key(), value, hordes);
  }
  if (decision.kind() != trust::Rules::kKind) return absl::OkStatus();
  return trust::Rules::FromDecision(decision.key(), decision.value()).status();
}

absl::Status CheckOperatorsDecision(const v1::Decision& decision) {
  if (IsOperators(decision)) return CheckDecision(decision);
  return absl::InvalidArgumentError(
      absl::StrCat("decision.kind: '", decision.kind(), "' is not for operators to decide"));
}

absl::Status CheckRoom(const v1::DocumentBody& before, const v1::DocumentBody& after) {
  const std::size_t inventory = SizeOfInventory(after);
  if (inventory > kInventoryMax && inventory > SizeOfInventory(before)) {
    return Full("inventory", inventory, kInventoryMax, "no more entries are taken");
  }
  const std::size_t rest = SizeOfUnreserved(after);
  if (rest > kBodyMax - kReserved && rest > SizeOfUnreserved(before)) {
    return Full("manifests, hordes and inventory", rest, kBodyMax - kReserved,
                "make a manifest or a horde smaller, or remove one");
  }
  const std::size_t all = after.ByteSizeLong();
  if (all > kBodyMax && all > before.ByteSizeLong()) {
    return Full("decisions", all, kBodyMax, "make a manifest or a horde smaller, or remove one");
  }
  return absl::OkStatus();
}

}  // namespace radix::proctor
