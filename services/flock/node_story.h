// The story of one node, as another node knows it: what became of it, or why it is no member.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/confab/address.h"
#include "services/flock/event_history.h"
#include "services/flock/flock.h"
#include "services/flock/naming.h"

namespace radix::flock {

// How a node stands with the one that is asked.
enum class Verdict : std::uint8_t {
  kSelf,
  kMember,
  kSuspect,
  kDead,
  kLeft,
  kForgotten,    // it was a member, so long ago that only its events are left
  kNeverHeard,   // it could be one, but nobody ever heard of it
  kOutOfRange,   // its address is in none of the charter's ranges
  kUnknownName,  // no member says that it is called so
};

struct NodeStory {
  Verdict verdict = Verdict::kUnknownName;
  std::optional<IpAddress> address;  // unset: the name is unknown
  std::string name;                  // empty when it is not known
  std::optional<MemberView> member;  // while it is remembered
  bool leads = false;                // it is the sealed leader
  std::string summary;               // the verdict and its reason, as a sentence without a subject
  // What happened to whoever had the address, oldest first; the last kEventsMax. Older ones are
  // lost where `is_complete` is false.
  static constexpr std::size_t kEventsMax = 200;
  std::vector<EventHistory::Entry> events;
  bool is_complete = true;
};

// What a story is made from. The references must outlive it.
struct StorySources {
  const AddressRanges& ranges;
  const Naming& naming;
  const EventHistory& history;
  MemberId self;
  std::vector<MemberView> members;
  std::optional<MemberId> leader;  // the sealed one
  Counters counters;
};

// Tells the story of `node`, a name or an address. InvalidArgument if it is neither.
absl::StatusOr<NodeStory> TellStory(const std::string& node, const StorySources& sources);

// One word for machines, for example `never-heard`.
std::string_view VerdictName(Verdict verdict);

}  // namespace radix::flock
