#include "clients/cli/named_node.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/ask.h"
#include "radix/flock/v1/flock.grpc.pb.h"

namespace radix::cli {

using flock::v1::FlockService;
using flock::v1::ListMembersResponse;
using flock::v1::Member;

absl::StatusOr<ListMembersResponse> MembersOf(const LabNode& node) {
  return Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListMembers, {});
}

std::string NameOf(const Member& member) {
  return member.node().empty() ? member.address() : member.node();
}

bool IsLive(const Member& member) {
  return member.state() == flock::v1::MEMBER_STATE_ALIVE ||
         member.state() == flock::v1::MEMBER_STATE_SUSPECT;
}

absl::StatusOr<KeyedNode> FindNode(const std::string& text, const ListMembersResponse& members) {
  if (text.empty()) {
    return absl::InvalidArgumentError(
        "an empty text names no node: `radix members` shows them all");
  }
  KeyedNode node{text};
  const bool is_key = text.size() == 16 && absl::SimpleHexAtoi(text, &node.fingerprint);
  std::vector<const Member*> found;
  for (const Member& member : members.members()) {
    const bool is_it = member.node() == text || member.address() == text ||
                       (is_key && member.key_fingerprint() == node.fingerprint);
    if (is_it) found.push_back(&member);
  }
  const auto is_live = [](const Member* member) { return IsLive(*member); };
  if (std::ranges::any_of(found, is_live)) {
    std::erase_if(found, [&](const Member* member) { return !is_live(member); });
  }
  if (found.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "several nodes are called '", text, "'; say which by the fingerprint of its key: ",
        absl::StrJoin(found, ", ", [](std::string* to, const Member* member) {
          absl::StrAppend(to, absl::Hex(member->key_fingerprint(), absl::kZeroPad16), " at ",
                          member->address());
        })));
  }
  if (found.size() == 1) return KeyedNode{NameOf(*found[0]), found[0]->key_fingerprint()};
  if (is_key) return node;
  return absl::NotFoundError(
      absl::StrCat("no member is called '", text,
                   "', or has that address: `radix members` shows them all. A node that is gone "
                   "can be named by the fingerprint of its key, which has 16 hex digits"));
}

}  // namespace radix::cli
