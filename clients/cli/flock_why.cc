// radix flock why: the story of one node, as another one knows it.

#include <iostream>
#include <memory>
#include <string>

#include "clients/cli/ask.h"
#include "clients/cli/flock.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "radix/flock/v1/flock.grpc.pb.h"
#include "services/confab/charter.h"

namespace radix::cli {
namespace {

using flock::v1::ExplainNodeResponse;
using flock::v1::FlockService;

Json StateOf(const ExplainNodeResponse& story) {
  switch (story.state()) {
    case flock::v1::MEMBER_STATE_ALIVE:
      return "alive";
    case flock::v1::MEMBER_STATE_SUSPECT:
      return "suspect";
    case flock::v1::MEMBER_STATE_DEAD:
      return "dead";
    case flock::v1::MEMBER_STATE_LEFT:
      return "left";
    default:
      return nullptr;
  }
}

Json ToJson(const ExplainNodeResponse& story) {
  Json json = {{"node", story.node()},           {"address", story.address()},
               {"verdict", story.verdict()},     {"summary", story.summary()},
               {"state", StateOf(story)},        {"leader", story.leader()},
               {"revoked", story.revoked()},     {"in_contact", story.in_contact()},
               {"boot", story.boot()},           {"incarnation", story.incarnation()},
               {"truncated", story.truncated()}, {"events", Json::array()}};
  for (const auto& event : story.events()) json["events"].push_back(EventToJson(event));
  return json;
}

std::string Headline(const ExplainNodeResponse& story) {
  return absl::StrCat(NameAndAddress(story.node(), story.address()), " ", story.summary(),
                      story.leader() ? ", and leads the group" : "");
}

int Why(const Invocation& invocation, const std::string& about) {
  if (!IsName(about) && !IpAddress::Parse(about).ok()) {
    return FailUsage(absl::InvalidArgumentError(absl::StrCat(
        "'", about, "' is neither a node's name (1 to 63 of a-z, 0-9 and -) nor an address")));
  }
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  flock::v1::ExplainNodeRequest request;
  request.set_node(about);
  const auto story =
      Ask<FlockService>(*node, "flock", &FlockService::Stub::async::ExplainNode, request);
  if (!story.ok()) return Fail(story.status());
  // One that never was is not found; why that is so is the answer all the same.
  const bool found =
      story->state() != flock::v1::MEMBER_STATE_UNSPECIFIED || story->events_size() > 0;
  if (invocation.json()) {
    PrintJson(ToJson(*story));
    return found ? kExitOk : kExitRefused;
  }
  if (!found) return Fail(absl::NotFoundError(Headline(*story)));
  std::cout << Headline(*story) << "; as " << node->name << " sees it:\n";
  if (story->truncated()) std::cout << "(older events are not kept any more)\n";
  for (const auto& event : story->events()) std::cout << EventToLine(event) << '\n';
  return kExitOk;
}

}  // namespace

void AddFlockWhy(CLI::App& flock, Invocation& invocation) {
  CLI::App& verb = *flock
                        .add_subcommand("why",
                                        "Says why a node is, or is not, a member, and what "
                                        "happened to it; also of one that is gone")
                        ->fallthrough();
  const auto about = std::make_shared<std::string>();
  verb.add_option("NODE", *about, "A node's name or address")->required();
  verb.callback([&invocation, about] {
    invocation.run = [&invocation, about] { return Why(invocation, *about); };
  });
}

}  // namespace radix::cli
