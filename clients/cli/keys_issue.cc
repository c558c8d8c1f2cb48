// radix keys issue: a key and a certificate with which an operator calls a basic service over TCP,
// from any host, with any gRPC.

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "clients/cli/decisions.h"
#include "clients/cli/keys.h"
#include "radix/trust/v1/trust.pb.h"
#include "services/confab/certificate.h"
#include "services/confab/charter_file.h"
#include "services/confab/clock.h"
#include "services/confab/node_key.h"
#include "services/confab/replace_file.h"
#include "services/confab/tls.h"
#include "services/trust/issued.h"

namespace radix::cli {
namespace {

constexpr std::array<const char*, 9> kServices = {"dean",        "flock",    "healthminder",
                                                  "heartbeater", "pastiche", "picket",
                                                  "proctor",     "reeve",    "steward"};

constexpr Duration kRecordLimit = 5s;  // with a leader it takes milliseconds

// Whom it lets call what is said in services/trust/rules.cc.
std::string CallerOf(const std::string& service) { return "operator." + service; }

absl::Status WriteNew(const std::filesystem::path& path, std::string_view text) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path.string(), ": is there already; choose another --out"));
  }
  return confab::ReplaceFile(path, text);
}

struct Issued {
  std::string key_id;
  std::filesystem::path folder;
};

absl::StatusOr<Issued> Issue(const Lab& lab, const LabNode& node, const std::string& service,
                             const std::filesystem::path& out) {
  const auto charter = confab::LoadCharter(lab.charter());
  if (!charter.ok()) return charter.status();
  const auto seed = confab::LoadOrMakeNodeKey(node.state);
  if (!seed.ok()) return seed.status();
  const auto issuer = confab::TlsIssuer::From(confab::IssuerSecretOf(*seed));
  if (!issuer.ok()) return issuer.status();
  const auto key = confab::TlsKey::Make(
      [&](const KeyId& id) { return confab::Attest(*seed, charter->bloc, CallerOf(service), id); });
  if (!key.ok()) return key.status();
  if (absl::Status made = MakePlace(out); !made.ok()) return made;
  for (const auto& [name, text] :
       {std::pair<std::string, const std::string&>{"ca.pem", issuer->certificate_pem()},
        {"cert.pem", key->certificate_pem()},
        {"key.pem", key->private_pem()}}) {
    if (absl::Status written = WriteNew(out / name, text); !written.ok()) return written;
  }
  return Issued{key->id().ToString(), out};
}

// So that everybody can look up whose it is: it is good without that, too.
absl::Status Record(const LabNode& node, const std::string& key, const std::string& service) {
  trust::v1::IssuedKey issued;
  issued.set_service(service);
  issued.set_node(node.name);
  issued.mutable_issue_time()->set_seconds(confab::WallNanoseconds() / 1'000'000'000);
  proctor::v1::Decision decision;
  decision.set_kind(trust::kIssuedKind);
  decision.set_key("key/" + key);
  decision.set_value(issued.SerializeAsString());
  return Decide(node, decision, kRecordLimit).status();
}

int Run(const Invocation& invocation, const std::string& service, const std::string& out) {
  if (std::ranges::none_of(kServices, [&](const char* known) { return service == known; })) {
    return FailUsage(absl::InvalidArgumentError(
        absl::StrCat("--for: '", service, "' is none of ", absl::StrJoin(kServices, ", "))));
  }
  const auto lab = invocation.OpenLab();
  if (!lab.ok()) return Fail(lab.status());
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto issued = Issue(*lab, *node, service, std::filesystem::absolute(out));
  if (!issued.ok()) return Fail(issued.status());
  const absl::Status recorded = Record(*node, issued->key_id, service);
  if (!recorded.ok()) {
    std::cerr << "radix: the key is good, but `radix keys ls` will not list it: "
              << std::string(recorded.message()) << '\n';
  }
  const std::string folder = issued->folder.string();
  return Report(
      invocation.json(),
      {{"key", issued->key_id},
       {"node", node->name},
       {"for", service},
       {"folder", folder},
       {"recorded", recorded.ok()}},
      absl::StrCat("key ", issued->key_id, ", by the word of ", node->name, ":\n  ", folder,
                   "/key.pem    the key: whoever has it may call ", service, " of every node\n  ",
                   folder, "/cert.pem   shows it\n  ", folder, "/ca.pem     pins ", node->name,
                   "\ngrpcurl -cacert ", folder, "/ca.pem -cert ", folder, "/cert.pem -key ",
                   folder, "/key.pem -authority ", confab::kTlsName, " ADDRESS:PORT list"));
}

}  // namespace

void AddKeysIssue(CLI::App& keys, Invocation& invocation) {
  CLI::App& verb =
      *keys.add_subcommand("issue",
                           "Makes a key and a certificate to call a basic service with, "
                           "from any host; needs the node's own key")
           ->fallthrough();
  const auto service = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>();
  verb.add_option("--for", *service, "The service: " + absl::StrJoin(kServices, ", "))->required();
  verb.add_option("--out", *out, "The folder that gets the files; made where it is missing")
      ->required();
  verb.callback([&invocation, service, out] {
    invocation.run = [&invocation, service, out] { return Run(invocation, *service, *out); };
  });
}

}  // namespace radix::cli
