// radix horde create and remove: a horde begins without nodes, and ends when nothing is of it.

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/horde.h"
#include "clients/cli/output.h"
#include "clients/cli/retry.h"
#include "clients/cli/timeout.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;
using registry::Horde;

struct Options {
  std::string horde;
  double timeout_s = 30;
};

int ReportChange(const Invocation& invocation, const std::string& horde,
                 const absl::StatusOr<std::optional<std::int64_t>>& revision,
                 const std::string& done, const std::string& nothing) {
  if (!revision.ok()) return Fail(revision.status());
  Json json = {{"horde", horde}, {"changed", revision->has_value()}};
  if (*revision) json["revision"] = **revision;
  return Report(invocation.json(), json,
                *revision ? absl::StrCat(done, ", as revision ", **revision) : nothing);
}

int Create(const Invocation& invocation, const Options& options) {
  if (absl::Status name = CheckChangeable(options.horde); !name.ok()) return FailUsage(name);
  if (options.horde.starts_with('-')) {
    return FailUsage(absl::InvalidArgumentError(absl::StrCat(
        "'", options.horde, "' begins like an option: a horde's name begins with a-z or 0-9")));
  }
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto revision = ChangeHorde(
      *node, options.horde,
      [](std::optional<Horde>& horde) {
        if (!horde) horde = Horde();
        return absl::OkStatus();
      },
      FromSeconds(options.timeout_s));
  return ReportChange(
      invocation, options.horde, revision,
      absl::StrCat("there is a horde '", options.horde, "' now, without nodes: `radix horde admit ",
                   options.horde, " NODE...`"),
      absl::StrCat("the horde '", options.horde, "' is there already"));
}

// What a manifest would have run there. FailedPrecondition, naming it.
absl::Status CheckUnused(const LabNode& node, const std::string& horde, Duration limit) {
  proctor::v1::GetStatusRequest request;
  request.set_horde(horde);
  const auto status = Retry(limit, [&](Duration remaining) {
    return Ask<DeanService>(node, "dean", &DeanService::Stub::async::GetStatus, request,
                            {.timeout = std::min<Duration>(remaining, 5s)});
  });
  if (absl::IsNotFound(status.status())) return absl::OkStatus();
  if (!status.ok()) return status.status();
  for (const proctor::v1::ServiceStatus& service : status->services()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the horde '", horde, "' is used: by service ", service.service(),
                     " of manifest ", service.manifest(), "; remove that first"));
  }
  return absl::OkStatus();
}

int Remove(const Invocation& invocation, const Options& options) {
  if (absl::Status name = CheckChangeable(options.horde); !name.ok()) return FailUsage(name);
  if (options.horde == registry::Hordes::kDefault) {
    return FailUsage(absl::InvalidArgumentError(
        "'default' is there from the start, and stays; `radix horde expel default --all` empties "
        "it"));
  }
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const Duration limit = FromSeconds(options.timeout_s);
  if (absl::Status used = CheckUnused(*node, options.horde, limit); !used.ok()) return Fail(used);
  const auto revision = ChangeHorde(
      *node, options.horde,
      [](std::optional<Horde>& horde) {
        horde.reset();
        return absl::OkStatus();
      },
      limit);
  return ReportChange(invocation, options.horde, revision,
                      absl::StrCat("the horde '", options.horde, "' is gone"),
                      absl::StrCat("there is no horde '", options.horde, "'"));
}

void AddTo(CLI::App& verb, Invocation& invocation,
           int (*run)(const Invocation& invocation, const Options& options)) {
  const auto options = std::make_shared<Options>();
  verb.add_option("horde", options->horde, "Its name: 1 to 63 of a-z, 0-9 and -")->required();
  AddTimeout(verb, options->timeout_s, "Seconds to go on trying while nobody leads. Default: 30.");
  verb.callback([&invocation, options, run] {
    invocation.run = [&invocation, options, run] { return run(invocation, *options); };
  });
}

}  // namespace

void AddHordeCreate(CLI::App& horde, Invocation& invocation) {
  AddTo(*horde.add_subcommand("create", "Makes a horde, without nodes; nothing if it is there")
             ->fallthrough(),
        invocation, Create);
}

void AddHordeRemove(CLI::App& horde, Invocation& invocation) {
  AddTo(*horde.add_subcommand("remove", "Removes a horde that no manifest is of")->fallthrough(),
        invocation, Remove);
}

}  // namespace radix::cli
