// radix keys revoke: ends what a key may do.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/keys.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/confab/clock.h"
#include "services/confab/key_id.h"

namespace radix::cli {
namespace {

using proctor::v1::DeanService;

int Revoke(const Invocation& invocation, const std::string& key) {
  if (!KeyId::Parse(key)) {
    return FailUsage(absl::InvalidArgumentError(
        absl::StrCat("key: '", key, "' is not 64 hex digits, as `radix keys issue` prints them")));
  }
  const auto asked = invocation.OpenNode();
  if (!asked.ok()) return Fail(asked.status());
  trust::v1::Revocation revocation;
  revocation.mutable_revoke_time()->set_seconds(confab::WallNanoseconds() / 1'000'000'000);
  proctor::v1::ProposeRequest request;
  request.mutable_decision()->set_kind("revoked");
  request.mutable_decision()->set_key("key/" + key);
  request.mutable_decision()->set_value(revocation.SerializeAsString());
  const auto kept = Ask<DeanService>(*asked, "dean", &DeanService::Stub::async::Propose, request);
  if (!kept.ok()) return Fail(kept.status());
  return Report(invocation.json(), {{"revoked", key}, {"revision", kept->revision()}},
                absl::StrCat("key ", key, " was revoked, as revision ", kept->revision()));
}

}  // namespace

void AddKeysRevoke(CLI::App& keys, Invocation& invocation) {
  CLI::App& verb =
      *keys.add_subcommand("revoke", "Ends what a key may do, on every node")->fallthrough();
  const auto key = std::make_shared<std::string>();
  verb.add_option("key", *key, "64 hex digits, as `keys issue` prints them")->required();
  verb.callback(
      [&invocation, key] { invocation.run = [&, key] { return Revoke(invocation, *key); }; });
}

}  // namespace radix::cli
