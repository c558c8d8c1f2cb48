// radix keys revoke: ends what a key may do, or a whole node.

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/decisions.h"
#include "clients/cli/keys.h"
#include "clients/cli/known_keys.h"
#include "clients/cli/named_node.h"
#include "clients/cli/retry.h"
#include "clients/cli/secondary_key_rotation.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/confab/charter.h"
#include "services/confab/charter_file.h"
#include "services/confab/clock.h"
#include "services/confab/key_id.h"
#include "services/trust/revoked.h"

namespace radix::cli {
namespace {

using flock::v1::ListMembersResponse;
using flock::v1::Member;

constexpr Duration kLimit = 60s;  // a manifest's files may be on their way before it

struct Options {
  std::string subject;
  bool force = false;
  bool rotate = false;
};

// Without a quorum of others nobody could lead, and nothing could ever be decided again.
absl::Status CheckQuorum(const Lab& lab, const KeyedNode& subject,
                         const ListMembersResponse& reply) {
  const auto charter = confab::LoadCharter(lab.charter());
  if (!charter.ok()) return charter.status();
  const auto left =
      static_cast<std::uint32_t>(std::ranges::count_if(reply.members(), [&](const Member& member) {
        return IsLive(member) && !member.revoked() &&
               member.key_fingerprint() != subject.fingerprint;
      }));
  if (left >= charter->quorum) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("without ", subject.name, " only ", left, " of the quorum of ", charter->quorum,
                   " are alive and not revoked: until there are more nobody could lead, and no "
                   "revocation can be "
                   "taken back. Start other nodes first, or say --force"));
}

absl::StatusOr<std::int64_t> Propose(const LabNode& asked, const std::string& key,
                                     const std::string& name) {
  trust::v1::Revocation revocation;
  revocation.set_node(name);
  revocation.mutable_revoke_time()->set_seconds(confab::WallNanoseconds() / 1'000'000'000);
  proctor::v1::Decision decision;
  decision.set_kind(trust::Revoked::kKind);
  decision.set_key(key);
  decision.set_value(revocation.SerializeAsString());
  // Whether the first try was kept may be unknown, since it can end the leader that is to keep it.
  return Decide(asked, decision, kLimit);
}

// What whoever revoked it should know of it.
std::string WhatItWas(const std::string& key, const std::vector<KnownKey>& known,
                      const std::string& node) {
  for (const KnownKey& each : known) {
    if (each.key != key || each.role == "was revoked") continue;
    if (each.role == "was issued") return Sentence(each);
    return absl::StrCat(
        Sentence(each),
        "\nIts process makes itself another key and goes on. To stop it, have the rules deny it "
        "(`radix rules apply`), expel its node from the horde, or revoke its node.");
  }
  return absl::StrCat("Nobody whom ", node,
                      " knows has it. If it is that of an application "
                      "elsewhere, its process makes itself another: see `radix keys explain`.");
}

int RevokeKey(const Invocation& invocation, const std::string& key) {
  const auto asked = invocation.OpenNode();
  if (!asked.ok()) return Fail(asked.status());
  const auto known = KeysKnownAt(*asked);
  const auto revision = Propose(*asked, "key/" + key, "");
  if (!revision.ok()) return Fail(revision.status());
  const std::string note = known.ok() ? WhatItWas(key, *known, asked->name) : "";
  return Report(invocation.json(), {{"revoked", key}, {"revision", *revision}, {"note", note}},
                absl::StrCat("key ", key, " was revoked, as revision ", *revision,
                             note.empty() ? "" : "\n", note));
}

// A node that still takes orders, to be asked from now on.
std::string Another(const KeyedNode& subject, const ListMembersResponse& reply) {
  for (const Member& member : reply.members()) {
    if (IsLive(member) && !member.revoked() && !member.node().empty() &&
        member.key_fingerprint() != subject.fingerprint) {
      return member.node();
    }
  }
  return "";
}

// What is reported of a revocation.
struct Done {
  Json json;
  std::string text;
};

// Until the leader, who is another, counts it no more: it would be told the next key.
absl::Status AwaitShutOut(const LabNode& asked, const KeyedNode& subject) {
  return Retry(kLimit,
               [&](Duration) -> absl::StatusOr<bool> {
                 const auto reply = MembersOf(asked);
                 if (!reply.ok()) return reply.status();
                 for (const Member& member : reply->members()) {
                   if (member.key_fingerprint() != subject.fingerprint) continue;
                   if (!member.revoked() || member.leader()) {
                     return absl::UnavailableError(
                         absl::StrCat(subject.name, " was revoked, but leads still"));
                   }
                 }
                 const auto keys = GetKeys(asked);
                 if (!keys.ok()) return keys.status();
                 for (const auto& member : keys->members()) {
                   if (member.node() == subject.name || member.address() == subject.name) {
                     return absl::UnavailableError(absl::StrCat(
                         subject.name, " was revoked, but the leader counts it still"));
                   }
                 }
                 return true;
               })
      .status();
}

// So that the key that the node still has opens nothing any more. The key before the last still
// lets nodes in: hence twice.
int RotateTwice(const Invocation& invocation, const Lab& lab, const std::string& asked,
                const KeyedNode& subject, Done done) {
  if (!invocation.json()) std::cout << done.text << std::endl;
  const auto node = lab.Node(asked);
  absl::Status status = node.ok() ? AwaitShutOut(*node, subject) : node.status();
  done.json["rotations"] = Json::array();
  for (int i = 0; i < 2 && status.ok(); ++i) {
    Rotation rotation(*node, {});
    status = rotation.Run(!invocation.json());
    done.json["rotations"].push_back(rotation.Outcome());
  }
  if (invocation.json()) PrintJson(done.json);
  return status.ok() ? kExitOk : Fail(status);
}

int RevokeNode(const Invocation& invocation, const Options& options) {
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) return Fail(lab.status());
  const auto asked = invocation.OpenNode();
  if (!asked.ok()) return Fail(asked.status());
  const auto reply = MembersOf(*asked);
  if (!reply.ok()) return Fail(reply.status());
  const auto subject = FindNode(options.subject, *reply);
  if (absl::IsNotFound(subject.status())) {
    return Fail(absl::NotFoundError(
        absl::StrCat(std::string(subject.status().message()),
                     ". A key, as `radix keys issue` prints it, has 64 hex digits")));
  }
  if (!subject.ok()) return Fail(subject.status());
  if (!options.force) {
    if (absl::Status status = CheckQuorum(*lab, *subject, *reply); !status.ok()) {
      return Fail(status);
    }
  }
  const std::string digits(absl::StrCat(absl::Hex(subject->fingerprint, absl::kZeroPad16)));
  const auto revision = Propose(*asked, "node/" + digits, subject->name);
  if (!revision.ok()) return Fail(revision.status());
  Done done{.json = {{"revoked", subject->name}, {"fingerprint", digits}, {"revision", *revision}},
            .text = absl::StrCat("node ", subject->name, " (key ", digits,
                                 ") was revoked, as revision ", *revision,
                                 ": it gets no lease, leads nothing, and is let in by nobody")};
  const bool asks_itself = asked->name == subject->name;
  const std::string other = asks_itself ? Another(*subject, *reply) : asked->name;
  if (options.rotate) return RotateTwice(invocation, *lab, other, *subject, std::move(done));
  std::string command = "radix keys rotate secondary";
  if (asks_itself) absl::StrAppend(&command, " --node ", other);
  done.json["next"] = Json::array({command, command});
  absl::StrAppend(&done.text,
                  "\nIt still has the secondary key. That opens nothing any more once it was "
                  "rotated twice, since the key before still lets nodes in:\n  ",
                  command, " && ", command,
                  "\nStop it first if its software may lie: with the key it can come back as "
                  "another node.");
  return Report(invocation.json(), done.json, done.text);
}

int Revoke(const Invocation& invocation, const Options& options) {
  if (KeyId::Parse(options.subject)) {
    if (!options.rotate) return RevokeKey(invocation, options.subject);
    return FailUsage(absl::InvalidArgumentError(
        "--rotate: is for nodes; who has only a key does not have the secondary key"));
  }
  if (!IsName(options.subject) && !IpAddress::Parse(options.subject).ok()) {
    return FailUsage(absl::InvalidArgumentError(absl::StrCat(
        "'", options.subject,
        "' is no key (64 hex digits, as `radix keys issue` prints them), and neither a "
        "node's name (1 to 63 of a-z, 0-9 and -) nor an address")));
  }
  return RevokeNode(invocation, options);
}

}  // namespace

void AddKeysRevoke(CLI::App& keys, Invocation& invocation) {
  CLI::App& verb = *keys.add_subcommand("revoke",
                                        "Ends what a key may do, on every node; or a node, which "
                                        "gets no lease and leads nothing from then on. It cannot "
                                        "be taken back")
                        ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("key", options->subject,
                  "64 hex digits, as `keys issue` prints them; or a node's name or address")
      ->required();
  verb.add_flag("--force", options->force, "Revoke a node even if no quorum is left then");
  verb.add_flag("--rotate", options->rotate,
                "Then rotate the secondary key twice, so that the one a revoked node has opens "
                "nothing any more. When that is interrupted, `keys rotate secondary` goes on");
  verb.callback([&invocation, options] {
    invocation.run = [&invocation, options] { return Revoke(invocation, *options); };
  });
}

}  // namespace radix::cli
