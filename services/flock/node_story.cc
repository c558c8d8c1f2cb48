#include "services/flock/node_story.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter.h"

namespace radix::flock {
namespace {

Verdict VerdictOf(const MemberView& member, const MemberId& self) {
  if (member.id == self) return Verdict::kSelf;
  switch (member.state) {
    case MemberState::kAlive:
      return Verdict::kMember;
    case MemberState::kSuspect:
      return Verdict::kSuspect;
    case MemberState::kDead:
      return Verdict::kDead;
    case MemberState::kLeft:
      return Verdict::kLeft;
  }
  return Verdict::kMember;
}

std::string Summarise(const NodeStory& story, const StorySources& sources) {
  switch (story.verdict) {
    case Verdict::kSelf:
      return "is the node that was asked";
    case Verdict::kMember:
      return story.member->in_contact
                 ? "is a member; this node and it hear each other"
                 : "is a member; this node did not hear from it in the last moment, which only the "
                   "few need that stand for leadership";
    case Verdict::kSuspect:
      return "is a member under suspicion; it may still refute";
    case Verdict::kDead:
      return "is no member any more: it was removed";
    case Verdict::kLeft:
      return "is no member any more: it said good-bye";
    case Verdict::kForgotten:
      return "is no member any more, and forgotten but for what is listed here";
    case Verdict::kNeverHeard:
      return absl::StrCat(
          "was never heard of, though its address is in the charter's ranges: it does not run, "
          "cannot be reached, or has another bloc name, key or port. This node has tried ",
          sources.counters.blind_probes, " addresses blindly, and dropped ",
          sources.counters.dropped_unauthenticated,
          " datagrams of other blocs or under keys that it does not have");
    case Verdict::kOutOfRange:
      return absl::StrCat("cannot be a member: its address is in none of the charter's ranges (",
                          sources.ranges.ToString(), ")");
    case Verdict::kUnknownName:
      return absl::StrCat("is not known: no member says, or said lately, that it is called so (",
                          sources.naming.unnamed_count(),
                          " did not say yet what they are called); ask for its address");
  }
  return "";
}

void TellOfSlot(std::uint32_t slot, const StorySources& sources, NodeStory& story) {
  story.events = sources.history.About(slot, NodeStory::kEventsMax);
  story.is_complete = sources.history.is_complete() && story.events.size() < NodeStory::kEventsMax;
  story.name = sources.naming.NameAt(slot);
  for (const MemberView& member : sources.members) {
    if (member.id.slot == slot) story.member = member;
  }
  if (story.member) {
    story.verdict = VerdictOf(*story.member, sources.self);
    story.leads = sources.leader == story.member->id;
  } else {
    story.verdict = story.events.empty() ? Verdict::kNeverHeard : Verdict::kForgotten;
  }
}

}  // namespace

absl::StatusOr<NodeStory> TellStory(const std::string& node, const StorySources& sources) {
  NodeStory story;
  std::optional<std::uint32_t> slot;
  if (const auto address = IpAddress::Parse(node); address.ok()) {
    story.address = *address;
    slot = sources.ranges.SlotOf(*address);
    if (!slot) story.verdict = Verdict::kOutOfRange;
  } else if (IsName(node)) {
    story.name = node;
    slot = sources.naming.SlotOf(node);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "node: '", node, "' is neither an address nor a name (1 to 63 of a-z, 0-9 and -)"));
  }
  if (slot) {
    story.address = sources.ranges.At(*slot);
    TellOfSlot(*slot, sources, story);
  }
  story.summary = Summarise(story, sources);
  if (story.member && story.member->revoked) {
    story.summary +=
        "; its key was revoked: it gets no lease, leads nothing, and is let in by nobody";
  }
  return story;
}

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSelf:
      return "self";
    case Verdict::kMember:
      return "member";
    case Verdict::kSuspect:
      return "suspect";
    case Verdict::kDead:
      return "dead";
    case Verdict::kLeft:
      return "left";
    case Verdict::kForgotten:
      return "forgotten";
    case Verdict::kNeverHeard:
      return "never-heard";
    case Verdict::kOutOfRange:
      return "out-of-range";
    case Verdict::kUnknownName:
      return "unknown-name";
  }
  return "unknown";
}

}  // namespace radix::flock
