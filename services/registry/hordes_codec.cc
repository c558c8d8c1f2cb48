#include "services/registry/hordes_codec.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "radix/registry/v1/registry.pb.h"
#include "services/confab/charter.h"

namespace radix::registry {
namespace {

constexpr std::size_t kNodeNameMax = 63;

v1::HordeStanding ToProto(Standing standing) {
  switch (standing) {
    case Standing::kAdmitted:
      return v1::HORDE_STANDING_ADMITTED;
    case Standing::kLeaving:
      return v1::HORDE_STANDING_LEAVING;
    case Standing::kOutside:
      break;
  }
  return v1::HORDE_STANDING_OUTSIDE;
}

}  // namespace

std::string ToBytes(const Horde& horde) {
  v1::Horde message;
  message.set_others(ToProto(horde.every_node ? Standing::kAdmitted : Standing::kOutside));
  for (const auto& [fingerprint, named] : horde.named) {
    v1::HordeNode& node = *message.add_nodes();
    node.set_key_fingerprint(fingerprint);
    node.set_node(named.node);
    node.set_standing(ToProto(named.standing));
  }
  return message.SerializeAsString();
}

absl::StatusOr<Horde> HordeFromBytes(const std::string& bytes) {
  const auto wrong = [](const std::string& what) { return absl::InvalidArgumentError(what); };
  v1::Horde message;
  if (!message.ParseFromString(bytes)) return wrong("is no radix.registry.v1.Horde");
  if (message.others() != v1::HORDE_STANDING_ADMITTED &&
      message.others() != v1::HORDE_STANDING_OUTSIDE) {
    return wrong("others: must be ADMITTED or OUTSIDE");
  }
  if (message.nodes_size() > static_cast<int>(Horde::kNodesMax)) {
    return wrong(absl::StrCat("nodes: ", message.nodes_size(), ", at most ", Horde::kNodesMax));
  }
  Horde horde;
  horde.every_node = message.others() == v1::HORDE_STANDING_ADMITTED;
  for (int i = 0; i < message.nodes_size(); ++i) {
    const v1::HordeNode& node = message.nodes(i);
    const std::string where = absl::StrCat("nodes[", i, "].");
    Standing standing = Standing::kOutside;
    switch (node.standing()) {
      case v1::HORDE_STANDING_ADMITTED:
        standing = Standing::kAdmitted;
        break;
      case v1::HORDE_STANDING_LEAVING:
        standing = Standing::kLeaving;
        break;
      case v1::HORDE_STANDING_OUTSIDE:
        break;
      default:
        return wrong(where + "standing: must be ADMITTED, LEAVING or OUTSIDE");
    }
    if (node.node().size() > kNodeNameMax) {
      return wrong(absl::StrCat(where, "node: longer than ", kNodeNameMax, " bytes"));
    }
    if (!horde.named.emplace(node.key_fingerprint(), Horde::Named{node.node(), standing}).second) {
      return wrong(where + "key_fingerprint: stands there twice");
    }
  }
  return horde;
}

absl::Status AddHorde(const std::string& key, const std::string& value, Hordes& hordes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("horde '", key, "': ", what));
  };
  if (!IsName(key)) {
    return absl::InvalidArgumentError("horde: its name must be 1 to 63 of a-z, 0-9 and '-'");
  }
  if (key == Hordes::kRadix) {
    return wrong("is the basic services' own, every node is in it, and nobody can change that");
  }
  auto horde = HordeFromBytes(value);
  if (!horde.ok()) return wrong(std::string(horde.status().message()));
  if (hordes.Find(key) == nullptr && hordes.all().size() >= Hordes::kHordesMax) {
    return wrong(absl::StrCat("there are ", Hordes::kHordesMax, " already"));
  }
  hordes.Put(key, *std::move(horde));
  return absl::OkStatus();
}

absl::Status AddDecidedHorde(const std::string& key, const std::string& value, Hordes& hordes) {
  const absl::Status added = AddHorde(key, value, hordes);
  if (!added.ok() && key != Hordes::kRadix) hordes.Put(key, {});
  return added;
}

}  // namespace radix::registry
