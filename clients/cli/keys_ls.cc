// radix keys ls, and radix keys explain: the keys of applications that one node knows.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/ask.h"
#include "clients/cli/keys.h"
#include "radix/trust/v1/pairing.grpc.pb.h"

namespace radix::cli {
namespace {

using trust::v1::ListKeysResponse;
using trust::v1::PairingService;

constexpr std::size_t kShortest = 8;  // digits by which a key may be called

// One key, and what it is for.
struct Known {
  std::string key;
  std::string role;  // serves, calls, let in
  std::string who;   // horde/service
  std::string what;  // horde/inst, or what is meant
  std::string net_id;
  std::string state;
};

std::string StateOf(const trust::v1::CallingKey& calling) {
  if (!calling.has_admission()) return "asked for";
  if (calling.admission().code() == 0) return "let in";
  return absl::StrCat("refused: ", calling.admission().message());
}

std::vector<Known> KnownIn(const ListKeysResponse& keys) {
  std::vector<Known> known;
  for (const auto& each : keys.endpoints()) {
    for (const std::string& key : each.keys()) {
      known.push_back({key, "serves", absl::StrCat(each.horde(), "/", each.service()),
                       absl::StrCat(each.horde(), "/", each.inst()), each.net_id(), "shown"});
    }
  }
  for (const auto& each : keys.calling()) {
    const auto& pair = each.pair();
    known.push_back({pair.key(), "calls", absl::StrCat(pair.horde(), "/", pair.service()),
                     absl::StrCat(pair.meant_horde(), "/",
                                  pair.meant_inst().empty() ? pair.meant_api() : pair.meant_inst()),
                     pair.net_id(), StateOf(each)});
  }
  for (const auto& each : keys.let_in()) {
    known.push_back({each.caller().key(), "is let in",
                     absl::StrCat(each.caller().horde(), "/", each.caller().service()),
                     absl::StrCat(each.horde(), "/", each.inst()), each.net_id(),
                     absl::StrCat("from node key ",
                                  absl::Hex(each.caller().node_fingerprint(), absl::kZeroPad16))});
  }
  return known;
}

absl::StatusOr<std::vector<Known>> KnownAt(const LabNode& node) {
  const auto keys = Ask<PairingService>(node, "reeve", &PairingService::Stub::async::ListKeys, {});
  if (!keys.ok()) return keys.status();
  return KnownIn(*keys);
}

void Print(const std::vector<Known>& known, bool as_json) {
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {{"key", "role", "who", "what", "where", "state"}};
  for (const Known& each : known) {
    list.push_back({{"key", each.key},
                    {"role", each.role},
                    {"who", each.who},
                    {"what", each.what},
                    {"net_id", each.net_id},
                    {"state", each.state}});
    rows.push_back(
        {each.key.substr(0, 16), each.role, each.who, each.what, each.net_id, each.state});
  }
  as_json ? PrintJson(list) : PrintTable(rows);
}

int List(const Invocation& invocation) {
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  const auto known = KnownAt(*node);
  if (!known.ok()) return Fail(known.status());
  Print(*known, invocation.json());
  return kExitOk;
}

int ExplainKey(const Invocation& invocation, const std::string& key) {
  if (key.size() < kShortest || key.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return FailUsage(absl::InvalidArgumentError(
        absl::StrCat("key: '", key, "' is not ", kShortest,
                     " to 64 hex digits, as `radix keys ls` and logs have them")));
  }
  const auto node = invocation.OpenNode();
  if (!node.ok()) return Fail(node.status());
  auto known = KnownAt(*node);
  if (!known.ok()) return Fail(known.status());
  std::erase_if(*known, [&](const Known& each) { return !each.key.starts_with(key); });
  if (known->empty()) {
    return Fail(
        absl::NotFoundError(absl::StrCat("no application that ", node->name,
                                         " knows has that key; ask the node where it is used "
                                         "(--node)")));
  }
  if (invocation.json()) {
    Print(*known, true);
    return kExitOk;
  }
  for (const Known& each : *known) {
    std::cout << "key " << each.key << ": " << each.who << " " << each.role << " "
              << (each.role == "is let in" ? "by " : "") << each.what << " at " << each.net_id
              << "; " << each.state << "\n";
  }
  return kExitOk;
}

}  // namespace

void AddKeysLs(CLI::App& keys, Invocation& invocation) {
  CLI::App& ls = *keys.add_subcommand("ls",
                                      "Lists the keys of applications that a node knows: what "
                                      "it serves by, calls by, and lets in")
                      ->fallthrough();
  ls.callback([&invocation] { invocation.run = [&invocation] { return List(invocation); }; });

  CLI::App& explain =
      *keys.add_subcommand("explain", "Says whose a key is, and what it is for")->fallthrough();
  const auto key = std::make_shared<std::string>();
  explain.add_option("key", *key, "its first digits, at least 8")->required();
  explain.callback(
      [&invocation, key] { invocation.run = [&, key] { return ExplainKey(invocation, *key); }; });
}

}  // namespace radix::cli
