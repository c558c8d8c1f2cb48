#include "services/proctor/allegiance.h"

#include "absl/strings/str_cat.h"

namespace radix::proctor {

void Allegiance::HandleGroup(const registry::Group& group, Instant now) {
  group_ = group;
  grant_until_ = group.grant ? now + group.grant->remaining : now;
}

void Allegiance::HandleProctors(const registry::Delta& delta) {
  if (delta.snapshot) {
    proctors_.Replace(delta.changes);
  } else {
    for (const registry::Instance& change : delta.changes) proctors_.Put(change);
  }
}

std::string Allegiance::ProctorAt(const IpAddress& address) const {
  for (const registry::Instance& each : proctors_.List({.horde = "radix", .api = "proctor1"})) {
    const auto endpoint = Endpoint::Parse(each.net_id);
    if (each.status == registry::Status::kServing && endpoint.ok() && endpoint->ip == address) {
      return each.net_id;
    }
  }
  return "";
}

std::optional<Allegiance::Followed> Allegiance::FollowedAt(Instant now) const {
  if (!group_ || !group_->grant || now >= grant_until_) return std::nullopt;
  std::string net_id = ProctorAt(group_->grant->leader);
  if (net_id.empty()) return std::nullopt;
  return Followed{std::move(net_id), static_cast<std::int64_t>(group_->grant->epoch)};
}

bool Allegiance::MayStay(const Followed& with, Instant now) const {
  if (!group_ || !group_->grant || now >= grant_until_) return false;
  const auto endpoint = Endpoint::Parse(with.net_id);
  const registry::Grant& grant = *group_->grant;
  if (!endpoint.ok() || endpoint->ip != grant.leader ||
      with.epoch != static_cast<std::int64_t>(grant.epoch)) {
    return false;
  }
  for (const registry::Instance& each : proctors_.List({.horde = "radix", .api = "proctor1"})) {
    const auto listed = Endpoint::Parse(each.net_id);
    if (!listed.ok() || listed->ip != grant.leader) continue;
    return each.net_id == with.net_id && each.status == registry::Status::kServing;
  }
  return true;
}

absl::StatusOr<std::string> Allegiance::AskedAt(Instant now) const {
  if (const auto followed = FollowedAt(now)) return followed->net_id;
  if (!group_) return absl::UnavailableError("flock of this node is not heard; try again");
  if (group_->leader) {
    std::string net_id = ProctorAt(*group_->leader);
    if (!net_id.empty()) return net_id;
    return absl::UnavailableError(absl::StrCat(group_->leader->ToString(),
                                               " leads, and its proctor is not known here yet; "
                                               "try again"));
  }
  return absl::UnavailableError(absl::StrCat("nobody leads: alive, as far as this node knows, are ",
                                             group_->Unsuspected().size(), ", and ", group_->quorum,
                                             " make a quorum; try again"));
}

}  // namespace radix::proctor
