#include "fulcrum/node_options.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/confab/charter_file.h"
#include "services/confab/utf8.h"

namespace radix::fulcrum {
namespace {

std::vector<IpAddress> InterfaceAddresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    IpAddress ip;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, each->ifa_addr, sizeof v4);
      ip.bytes[10] = ip.bytes[11] = 0xff;
      std::memcpy(ip.bytes.data() + 12, &v4.sin_addr, 4);
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, each->ifa_addr, sizeof v6);
      std::memcpy(ip.bytes.data(), &v6.sin6_addr, 16);
    } else {
      continue;
    }
    addresses.push_back(ip);
  }
  freeifaddrs(list);
  return addresses;
}

std::string ToText(const std::vector<IpAddress>& addresses) {
  return absl::StrJoin(addresses, ", ", [](std::string* out, const IpAddress& each) {
    absl::StrAppend(out, each.ToString());
  });
}

std::filesystem::path DefaultState() {
  if (geteuid() == 0) return "/var/lib/radix";
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "radix" / "node";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/tmp") / ".local/state/radix/node";
}

absl::StatusOr<std::string> NameOf(const NodeFlags& flags) {
  if (!flags.name.empty()) return flags.name;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return NameFromHost(host.data());
}

absl::StatusOr<IpAddress> AddressOf(const NodeFlags& flags, const AddressRanges& ranges) {
  const std::vector<IpAddress> here = InterfaceAddresses();
  if (flags.address.empty()) return ChooseAddress(ranges, here);
  auto address = IpAddress::Parse(flags.address);
  if (!address.ok() || ranges.SlotOf(*address)) return address;
  return absl::InvalidArgumentError(
      absl::StrCat("--address: ", flags.address, " is in none of the charter's ranges (",
                   ranges.ToString(), "); this machine's addresses are ", ToText(here)));
}

}  // namespace

absl::StatusOr<IpAddress> ChooseAddress(const AddressRanges& ranges,
                                        const std::vector<IpAddress>& candidates) {
  std::vector<IpAddress> inside;
  for (const IpAddress& each : candidates) {
    if (ranges.SlotOf(each)) inside.push_back(each);
  }
  if (inside.size() == 1) return inside.front();
  if (inside.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "none of this machine's addresses (", ToText(candidates), ") is in the charter's ranges (",
        ranges.ToString(), "); say which with --address"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "several of this machine's addresses are in the charter's ranges: ", ToText(inside),
      "; choose one with --address"));
}

absl::StatusOr<std::string> NameFromHost(const std::string& host) {
  std::string name = host.substr(0, host.find('.'));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (IsName(name)) return name;
  return absl::InvalidArgumentError(absl::StrCat(
      "the host name '", host, "' is no node name (1 to 63 characters of a-z 0-9 -); use --name"));
}

absl::StatusOr<NodeFlags> ParseNodeFlags(int argc, const char* const* argv) {
  NodeFlags flags;
  std::string services = "all";
  CLI::App app;
  app.set_help_flag();
  app.add_option("--charter", flags.charter)->required();
  app.add_option("--name", flags.name);
  app.add_option("--address", flags.address);
  app.add_option("--state", flags.state);
  app.add_option("--label", flags.labels)->allow_extra_args(false);
  app.add_option("--services", services);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see `fulcrum --help`"));
  }
  if (flags.charter.empty()) return absl::InvalidArgumentError("--charter: names no file");
  if (!flags.name.empty() && !IsName(flags.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--name: '", flags.name, "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  if (!flags.address.empty()) {
    const auto address = IpAddress::Parse(flags.address);
    if (!address.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--address: ", address.status().message()));
    }
  }
  for (const std::string& label : flags.labels) {
    if (confab::IsLabel(label)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--label: '", label, "' is not `tag` or `key=value`, 1 to 128 characters"));
  }
  const auto flock_only = confab::IsFlockOnly(services);
  if (!flock_only.ok()) return flock_only.status();
  flags.flock_only = *flock_only;
  return flags;
}

absl::StatusOr<confab::ServiceArguments> ResolveNode(const NodeFlags& flags) {
  confab::ServiceArguments node;
  std::error_code error;  // a relative path may have no folder any more to begin from
  const std::filesystem::path state = flags.state.empty() ? DefaultState() : flags.state;
  node.charter_path = std::filesystem::absolute(flags.charter, error);
  if (error) return absl::ErrnoToStatus(error.value(), flags.charter.string());
  node.node.state = std::filesystem::absolute(state, error).lexically_normal();
  if (error) return absl::ErrnoToStatus(error.value(), state.string());
  auto charter = confab::LoadCharter(node.charter_path);
  if (!charter.ok()) return charter.status();
  node.charter = *std::move(charter);
  node.node.flock_id = node.charter.bloc;
  const auto keys = confab::LoadKeys(node.charter_path, node.charter);
  if (!keys.ok()) return keys.status();
  auto name = NameOf(flags);
  if (!name.ok()) return name.status();
  node.node.name = *std::move(name);
  const auto address = AddressOf(flags, node.charter.ranges);
  if (!address.ok()) return address.status();
  node.flock_only = flags.flock_only;
  node.node.address = *address;
  if (!node.node.state.has_filename()) node.node.state = node.node.state.parent_path();
  node.node.labels = flags.labels;
  for (const auto& path : {node.charter_path, node.node.state}) {
    if (confab::IsUtf8(path.string())) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the path ", path.string(), " is no UTF-8; choose another place"));
  }
  return node;
}

}  // namespace radix::fulcrum
