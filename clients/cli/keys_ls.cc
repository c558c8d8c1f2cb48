// radix keys ls, and radix keys explain: the keys that one node knows.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/keys.h"
#include "clients/cli/known_keys.h"

namespace radix::cli {
namespace {

constexpr std::size_t kShortest = 8;  // digits by which a key may be called

void Print(const std::vector<KnownKey>& known, bool as_json) {
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {{"key", "role", "who", "what", "where", "state"}};
  for (const KnownKey& each : known) {
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
  const auto known = KeysKnownAt(*node);
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
  auto known = KeysKnownAt(*node);
  if (!known.ok()) return Fail(known.status());
  std::erase_if(*known, [&](const KnownKey& each) { return !each.key.starts_with(key); });
  if (known->empty()) {
    return Fail(
        absl::NotFoundError(absl::StrCat("no application that ", node->name,
                                         " knows has that key, and no operator was issued it; ask "
                                         "the node where it is used (--node). Basic services have "
                                         "keys of their own, whose owner the logs name")));
  }
  if (invocation.json()) {
    Print(*known, true);
    return kExitOk;
  }
  for (const KnownKey& each : *known) std::cout << Sentence(each) << "\n";
  return kExitOk;
}

}  // namespace

void AddKeysLs(CLI::App& keys, Invocation& invocation) {
  CLI::App& ls = *keys.add_subcommand("ls",
                                      "Lists the keys of applications that a node knows, which "
                                      "it serves by, calls by, and lets in; and all that were "
                                      "issued or revoked")
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
