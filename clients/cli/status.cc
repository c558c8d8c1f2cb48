// radix status: how far the group is from what its manifests ask for.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "clients/cli/ask.h"
#include "clients/cli/output.h"
#include "clients/cli/retry.h"
#include "clients/cli/timeout.h"
#include "clients/cli/verbs.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;
using proctor::v1::GetStatusResponse;

struct Options {
  std::string horde;
  bool wait = false;
  double timeout_s = 60;
};

Json ToJson(const GetStatusResponse& status) {
  Json json = {{"epoch", status.epoch()},
               {"revision", status.revision()},
               {"doneness", status.doneness()},
               {"builtin_doneness", status.builtin_doneness()}};
  json["services"] = Json::array();
  for (const auto& each : status.services()) {
    json["services"].push_back(
        {{"manifest", each.manifest()},
         {"service", each.service()},
         {"inst", each.inst()},
         {"want", each.want_count()},
         {"serving", each.serving_count()},
         {"nodes", std::vector<std::string>(each.nodes().begin(), each.nodes().end())}});
  }
  json["unmet"] = Json::array();
  for (const auto& each : status.unmet()) {
    json["unmet"].push_back({{"manifest", each.manifest()},
                             {"service", each.service()},
                             {"node", each.node()},
                             {"reason", each.reason()}});
  }
  json["nodes"] = std::vector<std::string>(status.nodes().begin(), status.nodes().end());
  return json;
}

void PrintUnmet(std::ostream& out, const GetStatusResponse& status) {
  for (const auto& item : status.unmet()) {
    out << "  " << item.manifest() << "/" << item.service();
    if (!item.node().empty()) out << " on " << item.node();
    out << ": " << item.reason() << '\n';
  }
}

void PrintText(const GetStatusResponse& status) {
  std::cout << "doneness " << status.doneness() << " (built-in services "
            << status.builtin_doneness() << "), revision " << status.revision() << ", epoch "
            << status.epoch() << "\n\n";
  std::vector<std::vector<std::string>> rows = {
      {"manifest", "service", "inst", "want", "serving", "nodes"}};
  for (const auto& each : status.services()) {
    rows.push_back({each.manifest(), each.service(), each.inst(), absl::StrCat(each.want_count()),
                    absl::StrCat(each.serving_count()), absl::StrJoin(each.nodes(), " ")});
  }
  PrintTable(rows);
  if (status.unmet_size() > 0) std::cout << "\nunmet:\n";
  PrintUnmet(std::cout, status);
}

int Status(const Invocation& invocation, const Options& options) {
  GetStatusResponse last;
  const auto fail = [&](const absl::Status& status) {
    if (invocation.json()) PrintJson(ToJson(last));
    const int code = Fail(status);
    PrintUnmet(std::cerr, last);
    return code;
  };
  const auto node = invocation.OpenNode();
  if (!node.ok()) return fail(node.status());
  proctor::v1::GetStatusRequest request;
  request.set_horde(options.horde);
  const auto ask = [&](Duration remaining) -> absl::StatusOr<GetStatusResponse> {
    auto reply = Ask<DeanService>(*node, "dean", &DeanService::Stub::async::GetStatus, request,
                                  {.timeout = std::min<Duration>(remaining, 5s)});
    if (!reply.ok()) return reply.status();
    last = *reply;
    if (options.wait && reply->doneness() < 1) {
      return absl::UnavailableError(
          absl::StrCat("not done within ", options.timeout_s, " s: doneness ", reply->doneness()));
    }
    return reply;
  };
  const auto reply = options.wait ? Retry(FromSeconds(options.timeout_s), ask) : ask(5s);
  if (!reply.ok()) return fail(reply.status());
  invocation.json() ? PrintJson(ToJson(*reply)) : PrintText(*reply);
  return kExitOk;
}

}  // namespace

void AddStatus(CLI::App& app, Invocation& invocation) {
  CLI::App& verb =
      *app.add_subcommand("status", "Says how far the group is from what its manifests ask for")
           ->fallthrough();
  const auto options = std::make_shared<Options>();
  verb.add_option("--horde", options->horde, "Only what is of this horde");
  CLI::Option* wait = verb.add_flag("--wait", options->wait, "Wait until all of it is true");
  AddTimeout(verb, options->timeout_s, "Seconds to wait at most. Default: 60.")->needs(wait);
  verb.callback([&invocation, options] {
    invocation.run = [&, options] { return Status(invocation, *options); };
  });
}

}  // namespace radix::cli
