#include "services/flock/key_status_codec.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace radix::flock {
namespace {

constexpr std::size_t kNamedMax = 10;

std::optional<std::uint32_t> ParseKeyName(const std::string& text) {
  std::uint32_t tag = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, tag, 16);
  if (text.size() != 8 || error != std::errc() || stop != end || tag == 0) return std::nullopt;
  return tag;
}

v1::RotationPhase PhaseOf(RotationPhase phase) {
  switch (phase) {
    case RotationPhase::kUsed:
      return v1::ROTATION_PHASE_USED;
    case RotationPhase::kIdle:
      return v1::ROTATION_PHASE_IDLE;
    case RotationPhase::kInstalled:
      return v1::ROTATION_PHASE_INSTALLED;
  }
  return v1::ROTATION_PHASE_UNSPECIFIED;
}

const GroupMember* FindMember(const Group& group, std::uint32_t slot) {
  const auto found = std::ranges::find_if(
      group.members, [slot](const GroupMember& member) { return member.id.slot == slot; });
  return found == group.members.end() ? nullptr : &*found;
}

std::string NameOf(const Group& group, std::uint32_t slot) {
  const GroupMember* const member = FindMember(group, slot);
  if (member == nullptr) return absl::StrCat("slot ", slot);
  return member->introduction.name.empty() ? member->address.ToString() : member->introduction.name;
}

// `n3, n4 and 7 more`.
std::string Names(const KeyReport& report, const Group& group) {
  std::vector<std::string> names;
  for (const std::uint32_t slot : report.missing) {
    if (names.size() < kNamedMax) names.push_back(NameOf(group, slot));
  }
  const std::size_t more = report.members - report.acknowledged - names.size();
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

}  // namespace

std::string KeyName(std::uint32_t tag) {
  return tag == 0 ? "" : std::string(absl::StrCat(absl::Hex(tag, absl::kZeroPad8)));
}

absl::StatusOr<KeyOrder> FromProto(const v1::RotateSecondaryKeyRequest& request) {
  KeyOrder order;
  switch (request.step()) {
    case v1::ROTATION_STEP_INSTALL:
      order.step = KeyStep::kInstall;
      break;
    case v1::ROTATION_STEP_USE:
      order.step = KeyStep::kUse;
      break;
    case v1::ROTATION_STEP_REMOVE:
      order.step = KeyStep::kRemove;
      break;
    default:
      return absl::InvalidArgumentError("step: must be INSTALL, USE or REMOVE");
  }
  const auto from = ParseKeyName(request.from());
  if (!from) {
    return absl::InvalidArgumentError(
        "from: must be the eight hex digits of a key, as GetKeys shows them");
  }
  order.from = *from;
  order.force = request.force();
  return order;
}

v1::SecondaryKeyStatus ToProto(const KeyReport& report, const Group& group) {
  v1::SecondaryKeyStatus status;
  status.set_epoch(static_cast<std::int64_t>(report.epoch));
  status.set_leader_node(NameOf(group, report.leader.slot));
  status.set_phase(PhaseOf(report.phase));
  status.set_current(KeyName(report.current));
  status.set_previous(KeyName(report.previous));
  status.set_next(KeyName(report.next));
  status.set_member_count(static_cast<std::int32_t>(report.members));
  status.set_acknowledged_count(static_cast<std::int32_t>(report.acknowledged));
  return status;
}

v1::GetKeysResponse ToProto(const KeyReport& report, const std::vector<std::uint32_t>& missing,
                            const Group& group) {
  v1::GetKeysResponse response;
  *response.mutable_secondary() = ToProto(report, group);
  for (const GroupMember& member : group.members) {
    if (!IsLive(member.state) || member.revoked) continue;
    v1::KeyHolder& holder = *response.add_members();
    holder.set_node(member.introduction.name);
    holder.set_address(member.address.ToString());
    holder.set_acknowledged(!std::ranges::binary_search(missing, member.id.slot));
  }
  return response;
}

absl::Status ToStatus(const KeyReport& report, const Group& group) {
  switch (report.result) {
    case KeyResult::kDone:
      return absl::OkStatus();
    case KeyResult::kNoLeader:
      return absl::UnavailableError("no sealed leader answered");
    case KeyResult::kNotSettled:
      return absl::UnavailableError(
          "the leader does not know yet what a quorum has in its key files");
    case KeyResult::kNotAcknowledged:
      return absl::AbortedError(absl::StrCat(
          report.acknowledged, " of ", report.members,
          " nodes have acknowledged; not yet: ", Names(report, group), "; their logs say why"));
    case KeyResult::kNoQuorum:
      return absl::AbortedError(
          absl::StrCat("only ", report.acknowledged, " of ", report.members,
                       " nodes have acknowledged, fewer than the quorum of ", group.quorum,
                       ": not even force goes on; not yet: ", Names(report, group)));
    case KeyResult::kOtherRotation:
      return absl::FailedPreconditionError(
          absl::StrCat("another rotation is under way or done: the current key is ",
                       KeyName(report.current), ", the previous one ", KeyName(report.previous)));
    case KeyResult::kTooEarly:
      return absl::FailedPreconditionError(
          report.phase == RotationPhase::kUsed
              ? "the last rotation is not complete: remove comes first"
              : "a phase before it was not done: the order is install, use, remove");
  }
  return absl::InternalError("unknown result");
}

}  // namespace radix::flock
