#include "clients/cli/lab_network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/substitute.h"
#include "clients/cli/system_tool.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

// Where `ip netns` keeps namespaces.
const fs::path kNamespaces = "/run/netns";

constexpr char kHub[] = "hub";
constexpr char kHubAddress[] = "169.254.0.1";
constexpr char kHubHardware[] = "02:00:00:01:00:00";

// What the hub forwards and what it drops: `radix lab cut` fills the island, and both counters are
// there to be read. $0 is the rule for random loss.
constexpr char kTable[] = R"(
table ip radix {
  set island { type ipv4_addr; }
  counter seen { }
  counter lost { }
  chain forward {
    type filter hook forward priority 0; policy accept;
    counter name seen
    ip saddr @island ip daddr != @island drop
    ip saddr != @island ip daddr @island drop
    $0
  }
}
)";

std::string PrefixOf(const fs::path& state) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const unsigned char c : state.string()) hash = (hash ^ c) * 0x100000001b3;
  return absl::StrFormat("radix-%08x-", hash & 0xffffffff);
}

// The hardware address of the `index`-th node; all differ from the hub's.
std::string HardwareOf(std::size_t index) {
  return absl::StrFormat("02:00:00:00:%02x:%02x", index >> 8, index & 0xff);
}

std::vector<std::string> NamespacesOf(const fs::path& state) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kNamespaces, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(PrefixOf(state))) names.push_back(std::move(name));
  }
  return names;
}

absl::Status Ip(const std::string& commands) {
  const auto ip = FindTool("ip", "iproute2");
  return ip.ok() ? RunTool(*ip, {"-batch", "-"}, commands) : ip.status();
}

absl::Status Nft(const std::string& commands) {
  const auto nft = FindTool("nft", "nftables");
  return nft.ok() ? RunTool(*nft, {"-f", "-"}, commands) : nft.status();
}

absl::Status AddNamespaces(const Lab& lab) {
  std::string commands = absl::StrCat("netns add ", NamespaceOf(lab.state, kHub), "\n");
  for (const LabNode& node : lab.nodes) {
    absl::StrAppend(&commands, "netns add ", NamespaceOf(lab.state, node.name), "\n");
  }
  return Ip(commands);
}

absl::Status SetUpHub(const Lab& lab) {
  const auto stay = NetworkStay::Enter(NamespaceOf(lab.state, kHub));
  if (!stay.ok()) return stay.status();
  // An address that no node has swallows what is sent there, as an empty place in a rack does.
  std::string commands = "link set lo up\nroute add blackhole default\n";
  for (std::size_t i = 1; i <= lab.nodes.size(); ++i) {
    const LabNode& node = lab.nodes[i - 1];
    absl::StrAppend(
        &commands, "link add v", i, " address ", kHubHardware, " type veth peer name eth0 address ",
        HardwareOf(i), " netns ", NamespaceOf(lab.state, node.name), "\nlink set v", i,
        " addrgenmode none up\nroute add ", node.address, "/32 dev v", i, "\nneigh add ",
        node.address, " dev v", i, " lladdr ", HardwareOf(i), " nud permanent\n");
  }
  if (absl::Status status = Ip(commands); !status.ok()) return status;
  std::ofstream forwarding("/proc/sys/net/ipv4/ip_forward");
  forwarding << "1\n" << std::flush;
  if (!forwarding) return absl::InternalError("net.ipv4.ip_forward cannot be set in the hub");
  std::string loss;
  if (lab.loss > 0) {
    loss = absl::StrCat("numgen random mod 100 < ", lab.loss, " counter name lost drop");
  }
  return Nft(absl::Substitute(kTable, loss));
}

absl::Status SetUpNode(const Lab& lab, const LabNode& node) {
  const auto stay = NetworkStay::Enter(NamespaceOf(lab.state, node.name));
  if (!stay.ok()) return stay.status();
  return Ip(absl::StrCat("link set lo up\nlink set eth0 addrgenmode none up\naddr add ",
                         node.address, "/32 dev eth0\nneigh add ", kHubAddress, " dev eth0 lladdr ",
                         kHubHardware, " nud permanent\nroute add default via ", kHubAddress,
                         " dev eth0 onlink\n"));
}

}  // namespace

std::string NamespaceOf(const fs::path& state, const std::string& name) {
  return PrefixOf(state) + name;
}

absl::Status CheckNetworkTools() {
  if (geteuid() != 0) {
    return absl::FailedPreconditionError(
        "--netns: network namespaces take root; run it with sudo, or leave --netns out");
  }
  for (const auto& [name, package] : {std::pair("ip", "iproute2"), {"nft", "nftables"}}) {
    const auto tool = FindTool(name, package);
    if (tool.ok()) continue;
    return absl::NotFoundError(absl::StrCat("--netns: ", std::string(tool.status().message())));
  }
  return absl::OkStatus();
}

absl::Status MakeNetwork(const Lab& lab) {
  if (absl::Status status = RemoveNetwork(lab.state); !status.ok()) return status;
  if (absl::Status status = AddNamespaces(lab); !status.ok()) return status;
  if (absl::Status status = SetUpHub(lab); !status.ok()) return status;
  for (const LabNode& node : lab.nodes) {
    if (absl::Status status = SetUpNode(lab, node); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RemoveNetwork(const fs::path& state) {
  std::string commands;
  for (const std::string& name : NamespacesOf(state)) {
    absl::StrAppend(&commands, "netns del ", name, "\n");
  }
  return commands.empty() ? absl::OkStatus() : Ip(commands);
}

absl::Status Cut(const Lab& lab, const std::vector<LabNode>& nodes) {
  if (!lab.netns) {
    return absl::FailedPreconditionError(
        "the nodes of this lab share one network, which cannot be cut; `radix lab up --netns "
        "--services none` makes a lab in which it can");
  }
  const auto stay = NetworkStay::Enter(NamespaceOf(lab.state, kHub));
  if (!stay.ok()) return stay.status();
  const std::string island = absl::StrJoin(
      nodes, ", ", [](std::string* out, const LabNode& node) { out->append(node.address); });
  // One transaction: at no moment is the network parted in another way.
  return Nft(absl::StrCat(
      "flush set ip radix island\n",
      nodes.empty() ? "" : absl::StrCat("add element ip radix island { ", island, " }\n")));
}

absl::StatusOr<NetworkStay> NetworkStay::Enter(const std::string& name) {
  const fs::path path = kNamespaces / name;
  confab::Descriptor home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const confab::Descriptor there(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!there) {
    return absl::NotFoundError(absl::StrCat("there is no network namespace ", name,
                                            "; `radix lab down`, then `radix lab up` makes it"));
  }
  if (!home || setns(there.get(), CLONE_NEWNET) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot enter the network namespace ", name, ": ", std::strerror(errno)));
  }
  return NetworkStay(std::move(home));
}

NetworkStay::~NetworkStay() {
  if (!home_) return;
  // A thread that stayed there would keep the namespace, and start nodes in the wrong place.
  if (setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

}  // namespace radix::cli
