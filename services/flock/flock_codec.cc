#include "services/flock/flock_codec.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace radix::flock {
namespace {

using google::protobuf::util::TimeUtil;

v1::MemberState ToProto(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return v1::MEMBER_STATE_ALIVE;
    case MemberState::kSuspect:
      return v1::MEMBER_STATE_SUSPECT;
    case MemberState::kDead:
      return v1::MEMBER_STATE_DEAD;
    case MemberState::kLeft:
      return v1::MEMBER_STATE_LEFT;
  }
  return v1::MEMBER_STATE_UNSPECIFIED;
}

std::string BootText(const MemberId& member) {
  return std::string(absl::StrCat(absl::Hex(member.boot, absl::kZeroPad16)));
}

v1::Party ToProto(const Party& from) {
  v1::Party party;
  party.set_node(from.node);
  party.set_address(from.address);
  return party;
}

v1::Member ToProto(const GroupMember& from, const Group& group) {
  v1::Member member;
  member.set_node(from.introduction.name);
  member.set_address(from.address.ToString());
  member.set_state(ToProto(from.state));
  member.set_boot(BootText(from.id));
  member.set_incarnation(from.incarnation);
  for (const std::string& label : from.introduction.labels) member.add_labels(label);
  member.set_key_fingerprint(from.fingerprint);
  member.set_revoked(from.revoked);
  member.set_leader(group.sealed && group.sealed->leader == from.id);
  return member;
}

// What is left of `leadership`; the other side's lease must never end later than ours.
google::protobuf::Duration Remaining(const Leadership& leadership, const Group& group) {
  return TimeUtil::NanosecondsToDuration(
      std::max<Duration>(leadership.until - group.at, 0ns).count());
}

const GroupMember* Find(const Group& group, const MemberId& id) {
  for (const GroupMember& member : group.members) {
    if (member.id == id) return &member;
  }
  return nullptr;
}

}  // namespace

v1::ListMembersResponse ToMembers(const Group& group) {
  v1::ListMembersResponse response;
  for (const GroupMember& member : group.members) {
    *response.add_members() = ToProto(member, group);
  }
  if (group.sealed) response.set_epoch(static_cast<std::int64_t>(group.sealed->epoch));
  return response;
}

v1::WatchGroupResponse ToWatch(const Group& group) {
  v1::WatchGroupResponse response;
  if (const GroupMember* self = Find(group, group.self)) {
    response.set_node(self->introduction.name);
  }
  if (group.sealed) {
    response.set_epoch(static_cast<std::int64_t>(group.sealed->epoch));
    if (const GroupMember* leader = Find(group, group.sealed->leader)) {
      response.set_leader_node(leader->introduction.name);
      response.set_leader_address(leader->address.ToString());
    }
  }
  if (group.own) *response.mutable_lease_remaining_duration() = Remaining(*group.own, group);
  if (group.grant) {
    response.set_granted_epoch(static_cast<std::int64_t>(group.grant->epoch));
    if (const GroupMember* holder = Find(group, group.grant->leader)) {
      response.set_granted_address(holder->address.ToString());
    }
    *response.mutable_grant_remaining_duration() = Remaining(*group.grant, group);
  }
  for (const GroupMember& member : group.members) {
    *response.add_members() = ToProto(member, group);
  }
  response.set_contact_count(static_cast<std::int32_t>(group.contact_count));
  response.set_quorum(static_cast<std::int32_t>(group.quorum));
  response.set_at_most(static_cast<std::int32_t>(group.at_most));
  response.set_turned_away(group.turned_away);
  return response;
}

v1::Event ToProto(const Happening& happening) {
  const Event& from = happening.entry.event;
  v1::Event event;
  *event.mutable_event_time() = TimeUtil::NanosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::nanoseconds>(happening.entry.at.time_since_epoch())
          .count());
  event.set_sequence(happening.entry.sequence);
  event.set_kind(std::string(KindName(from.kind)));
  event.set_subject(happening.subject.address);
  event.set_subject_node(happening.subject.node);
  if (happening.reporter) {
    event.set_reporter(happening.reporter->address);
    event.set_reporter_node(happening.reporter->node);
  }
  event.set_epoch(static_cast<std::int64_t>(from.epoch));
  event.set_evidence(std::string(EvidenceName(from.evidence)));
  event.set_detail(happening.detail);
  event.set_boot(BootText(from.subject));
  event.set_incarnation(from.incarnation);
  for (const Party& party : happening.accusers) *event.add_accusers() = ToProto(party);
  for (const Party& party : happening.relays) *event.add_relays() = ToProto(party);
  event.set_relay_failure_count(from.witnesses.relay_failures);
  return event;
}

v1::ExplainNodeResponse ToProto(const Account& account) {
  const NodeStory& story = account.story;
  v1::ExplainNodeResponse response;
  response.set_node(story.name);
  if (story.address) response.set_address(story.address->ToString());
  response.set_verdict(std::string(VerdictName(story.verdict)));
  response.set_summary(story.summary);
  if (story.member) {
    response.set_state(ToProto(story.member->state));
    response.set_boot(BootText(story.member->id));
    response.set_incarnation(story.member->incarnation);
    response.set_in_contact(story.member->in_contact);
    response.set_revoked(story.member->revoked);
  }
  response.set_leader(story.leads);
  for (const Happening& happening : account.events) *response.add_events() = ToProto(happening);
  response.set_truncated(!story.is_complete);
  return response;
}

v1::GetCountersResponse ToProto(const Counters& counters, std::uint64_t unsent) {
  v1::GetCountersResponse response;
  const auto number = [](std::uint64_t count) { return static_cast<std::int64_t>(count); };
  response.set_sent_count(number(counters.sent));
  response.set_sent_bytes(number(counters.sent_bytes));
  response.set_received_count(number(counters.received));
  response.set_accepted_count(number(counters.accepted));
  response.set_malformed_count(number(counters.dropped_malformed));
  response.set_unauthenticated_count(number(counters.dropped_unauthenticated));
  response.set_replayed_count(number(counters.dropped_replayed));
  response.set_unproven_count(number(counters.dropped_unproven));
  response.set_over_budget_count(number(counters.dropped_budget));
  response.set_blind_probe_count(number(counters.blind_probes));
  response.set_unsent_count(number(unsent));
  response.set_unknown_key_count(number(counters.dropped_unknown_key));
  response.set_revoked_count(number(counters.dropped_revoked));
  return response;
}

}  // namespace radix::flock
