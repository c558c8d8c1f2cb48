#include "services/steward/steward_codec.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/registry/registry_codec.h"

namespace radix::steward {
namespace {

constexpr int kSubscriptionsMax = 256;
constexpr std::size_t kBootMax = 64;

absl::Status Malformed(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

}  // namespace

absl::StatusOr<registry::Delta> NodeDeltaFrom(const std::string& field,
                                              const ::radix::registry::v1::Delta& message,
                                              const std::string& node, const IpAddress& address) {
  auto delta = registry::DeltaFrom(field, message);
  if (!delta.ok()) return delta;
  for (std::size_t i = 0; i < delta->changes.size(); ++i) {
    const registry::Instance& change = delta->changes[i];
    const std::string name = absl::StrCat(field, ".changes[", i, "].instance");
    if (change.node != node) {
      return Malformed(name + ".node",
                       absl::StrCat("is '", change.node, "', but the sender is '", node, "'"));
    }
    const auto endpoint = Endpoint::Parse(change.net_id);
    if (!endpoint.ok() || endpoint->ip != address) {
      return Malformed(name + ".net_id",
                       absl::StrCat(change.net_id, " is not at the sender's ", address.ToString()));
    }
  }
  return delta;
}

absl::StatusOr<Introduction> HelloFrom(const v1::Hello& message) {
  Introduction hello;
  if (message.epoch() <= 0) return Malformed("hello.epoch", "must be greater than 0");
  hello.epoch = static_cast<std::uint64_t>(message.epoch());
  if (auto ok = registry::CheckName("hello.node", message.node()); !ok.ok()) return ok;
  hello.node.node = message.node();
  auto address = IpAddress::Parse(message.address());
  if (!address.ok()) {
    return Malformed("hello.address", std::string(address.status().message()));
  }
  hello.node.address = *address;
  if (message.boot().size() > kBootMax) return Malformed("hello.boot", "is longer than 64 bytes");
  hello.node.boot = message.boot();
  if (auto ok = registry::CheckLabels("hello.labels", message.labels()); !ok.ok()) return ok;
  if (message.subscriptions_size() > kSubscriptionsMax) {
    return Malformed("hello.subscriptions", "has more than 256 selectors");
  }
  for (int i = 0; i < message.subscriptions_size(); ++i) {
    auto selector = registry::SelectorFrom(absl::StrCat("hello.subscriptions[", i, "]"),
                                           message.subscriptions(i), {.may_be_open = true});
    if (!selector.ok()) return selector.status();
    hello.subscriptions.push_back(*std::move(selector));
  }
  if (!message.table().snapshot()) return Malformed("hello.table", "must be a snapshot");
  auto table = NodeDeltaFrom("hello.table", message.table(), message.node(), *address);
  if (!table.ok()) return table.status();
  hello.node.table = *std::move(table);
  return hello;
}

}  // namespace radix::steward
