// radix flock events: what happened in the group lately, as one node saw it.

#include <iostream>
#include <memory>

#include "clients/cli/ask.h"
#include "clients/cli/flock.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/blocking_stream.h"
#include "radix/flock/v1/flock.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;

// A follower that heard nothing for so long asks anew: the connection may be gone.
constexpr Duration kQuiet = 10min;

struct Options {
  int limit = 1000;
  bool follow = false;
};

int List(const Invocation& invocation, const LabNode& node, const Options& options) {
  flock::v1::ListEventsRequest request;
  request.set_limit(options.limit);
  const auto reply =
      Ask<FlockService>(node, "flock", &FlockService::Stub::async::ListEvents, request);
  if (!reply.ok()) return Fail(reply.status());
  Json events = Json::array();
  for (const auto& event : reply->events()) {
    if (invocation.json()) {
      events.push_back(EventToJson(event));
    } else {
      std::cout << EventToLine(event) << '\n';
    }
  }
  if (invocation.json()) PrintJson(events);
  return kExitOk;
}

// Each event as soon as it comes, until the node is gone or the reader has enough.
int Follow(const Invocation& invocation, const LabNode& node) {
  confab::Node local;
  local.state = node.state;
  const auto stub = FlockService::NewStub(confab::DialLocal(local, "flock"));
  flock::v1::WatchEventsRequest request;
  for (;;) {
    BlockingReader<flock::v1::WatchEventsResponse> reader;
    stub->async()->WatchEvents(&reader.context(), &request, &reader);
    reader.Begin();
    flock::v1::WatchEventsResponse response;
    while (std::cout && reader.Next(response, kQuiet)) {
      for (const auto& event : response.events()) {
        std::cout << (invocation.json() ? EventToJson(event).dump() : EventToLine(event))
                  << std::endl;
        request.set_after_sequence(event.sequence());
      }
    }
    const grpc::Status end = reader.End();
    if (!std::cout) return kExitOk;
    if (end.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
      return Fail(Explain(node, "flock", confab::FromGrpc(end)));
    }
  }
}

}  // namespace

void AddFlockEvents(CLI::App& flock, Invocation& invocation) {
  CLI::App& verb =
      *flock
           .add_subcommand("events",
                           "Lists suspicions, refutations, removals, changes of leader and key, "
                           "and alarms, as this node saw them")
           ->fallthrough();
  const auto options = std::make_shared<Options>();
  auto* limit = verb.add_option("--limit", options->limit,
                                "The newest so many, at most 10000. Default: 1000.")
                    ->check(CLI::Range(1, 10'000));
  verb.add_flag("--follow", options->follow,
                "Prints what is kept, and then each event as it comes; with -o json one object a "
                "line")
      ->excludes(limit);
  verb.callback([&invocation, options] {
    invocation.run = [&invocation, options] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      return options->follow ? Follow(invocation, *node) : List(invocation, *node, *options);
    };
  });
}

}  // namespace radix::cli
