// radix flock counters: what a node's flock sent, received and dropped since it started.

#include <iostream>
#include <string>
#include <vector>

#include "clients/cli/ask.h"
#include "clients/cli/output.h"
#include "clients/cli/verbs.h"
#include "radix/flock/v1/flock.grpc.pb.h"

namespace radix::cli {
namespace {

using flock::v1::FlockService;
using flock::v1::GetCountersResponse;

struct Counter {
  const char* name;  // in JSON
  const char* what;  // for people
  std::int64_t (GetCountersResponse::*count)() const;
};

constexpr Counter kCounters[] = {
    {"sent", "datagrams sent", &GetCountersResponse::sent_count},
    {"unsent", "of these refused by this system: no route, no room, or its firewall",
     &GetCountersResponse::unsent_count},
    {"sent_bytes", "bytes sent", &GetCountersResponse::sent_bytes},
    {"received", "datagrams received", &GetCountersResponse::received_count},
    {"accepted", "accepted", &GetCountersResponse::accepted_count},
    {"malformed", "dropped: not flock's, or not from the address that they name",
     &GetCountersResponse::malformed_count},
    {"unauthenticated", "dropped: of another group, altered, or under keys too old",
     &GetCountersResponse::unauthenticated_count},
    {"unknown_key", "of these first words under a secondary key that this node does not have",
     &GetCountersResponse::unknown_key_count},
    {"replayed", "dropped: received before", &GetCountersResponse::replayed_count},
    {"unproven", "dropped: the sender has to show first that it is there now",
     &GetCountersResponse::unproven_count},
    {"over_budget", "dropped: more first words of strangers than are answered",
     &GetCountersResponse::over_budget_count},
    {"revoked", "dropped: first words of nodes whose keys were revoked",
     &GetCountersResponse::revoked_count},
    {"blind_probes", "addresses tried without knowing who is there",
     &GetCountersResponse::blind_probe_count},
};

void Print(const Invocation& invocation, const GetCountersResponse& counters) {
  if (invocation.json()) {
    Json json;
    for (const Counter& each : kCounters) json[each.name] = (counters.*each.count)();
    return PrintJson(json);
  }
  for (const Counter& each : kCounters) {
    const std::string count = std::to_string((counters.*each.count)());
    std::cout << std::string(count.size() < 12 ? 12 - count.size() : 0, ' ') << count << "  "
              << each.what << '\n';
  }
}

}  // namespace

void AddFlockCounters(CLI::App& flock, Invocation& invocation) {
  CLI::App& verb = *flock
                        .add_subcommand("counters",
                                        "Counts what the node's flock sent, received and dropped "
                                        "since it started")
                        ->fallthrough();
  verb.callback([&invocation] {
    invocation.run = [&invocation] {
      const auto node = invocation.OpenNode();
      if (!node.ok()) return Fail(node.status());
      const auto reply =
          Ask<FlockService>(*node, "flock", &FlockService::Stub::async::GetCounters, {});
      if (!reply.ok()) return Fail(reply.status());
      Print(invocation, *reply);
      return kExitOk;
    };
  });
}

}  // namespace radix::cli
