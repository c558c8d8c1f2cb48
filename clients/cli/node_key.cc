#include "clients/cli/node_key.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace radix::cli {

using flock::v1::ListMembersResponse;
using flock::v1::Member;

std::string NameOf(const Member& member) {
  return member.node().empty() ? member.address() : member.node();
}

bool IsLive(const Member& member) {
  return member.state() == flock::v1::MEMBER_STATE_ALIVE ||
         member.state() == flock::v1::MEMBER_STATE_SUSPECT;
}

absl::StatusOr<KeyedNode> FindNode(const std::string& text, const ListMembersResponse& members) {
  for (const Member& member : members.members()) {
    if (member.node() != text && member.address() != text) continue;
    return KeyedNode{NameOf(member), member.key_fingerprint()};
  }
  KeyedNode node{text};
  if (text.size() == 16 && absl::SimpleHexAtoi(text, &node.fingerprint)) return node;
  return absl::NotFoundError(
      absl::StrCat("no member is called '", text,
                   "', or has that address: `radix members` shows them all. A node that is gone "
                   "can be named by the fingerprint of its key, which has 16 hex digits"));
}

}  // namespace radix::cli
