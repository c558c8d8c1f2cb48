#include "clients/cli/lab.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/confab/charter.h"
#include "services/confab/charter_file.h"
#include "services/confab/node.h"
#include "services/confab/utf8.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path RecordPath() {
  fs::path base = Environment("XDG_STATE_HOME");
  if (base.empty()) {
    const std::string home = Environment("HOME");
    const passwd* user = home.empty() ? getpwuid(getuid()) : nullptr;
    base = fs::path(user != nullptr ? user->pw_dir : home) / ".local/state";
  }
  return base / "radix" / "lab";
}

std::string Recorded() {
  std::ifstream record(RecordPath());
  std::string place;
  std::getline(record, place);
  return place;
}

// A lab keeps keys: nobody else may look in, or have made it for us.
absl::Status MakePrivateFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::FailedPreconditionError(absl::StrCat(path.string(), ": ", std::strerror(errno)));
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path.string(), " is no folder"));
  }
  if (info.st_uid != getuid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        path.string(), " belongs to somebody else; choose another place with --state"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path.string(),
                     ": group or others have permissions on it, and a lab keeps keys; choose a "
                     "new folder with --state, or, if it is only the lab's, chmod 700 it"));
  }
  return absl::OkStatus();
}

// All of it or nothing: what was there stays when there is no room.
absl::Status WriteFile(const fs::path& path, const std::string& text) {
  const fs::path next = path.string() + ".next";
  std::error_code error;
  std::ofstream file(next);
  file << text;
  file.close();
  if (file) {
    fs::rename(next, path, error);
  } else {
    error = std::error_code(errno != 0 ? errno : EIO, std::generic_category());
  }
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  fs::remove(next, ignored);
  return absl::FailedPreconditionError(
      absl::StrCat(path.string(), ": cannot be written: ", error.message()));
}

absl::Status AddLabels(const std::vector<std::string>& labels, Lab& lab) {
  for (const std::string& text : labels) {
    const std::size_t colon = text.find(':');
    const auto node = lab.Node(text.substr(0, colon));
    const std::string label = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (colon == 0 || !node.ok() || !confab::IsLabel(label)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label: '", text, "' is not NODE:TAG or NODE:KEY=VALUE",
                       node.ok() ? "" : absl::StrCat("; ", std::string(node.status().message()))));
    }
    for (LabNode& each : lab.nodes) {
      if (each.name == node->name) each.labels.push_back(label);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPath(const Lab& lab) {
  if (!confab::IsUtf8(lab.state.string())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the path ", lab.state.string(), " is no UTF-8; choose another place with --state"));
  }
  const std::string longest = lab.nodes.back().state.string();
  if (longest.size() <= confab::kStatePathBytesMax) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the path ", longest, " has ", longest.size(),
                                                    " bytes, too long for the Unix sockets in it, "
                                                    "whose paths may have ",
                                                    confab::kSocketPathBytesMax,
                                                    "; choose a shorter place with --state"));
}

// What flags say of the network, and whether they fit together.
absl::Status CheckNetwork(const LabPlan& plan, const AddressRanges& ranges) {
  const IpAddress first = ranges.At(0);
  const IpAddress last = ranges.At(ranges.size() - 1);
  if (plan.loss < 0 || plan.loss > 99 || (plan.loss > 0 && !plan.netns)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--loss: ", plan.loss, " is not a percentage from 0 to 99, with --netns beside it"));
  }
  if (plan.netns && (!first.is_v4() || !last.is_v4() || first.is_loopback())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--range: ", plan.range,
                     " is not for nodes with a network each: with --netns give IPv4 addresses that "
                     "are no loopback addresses, for example ",
                     kNetnsRange));
  }
  if (!plan.netns && (!first.is_loopback() || !last.is_loopback())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--range: ", plan.range,
                     " is not within 127.0.0.0/8; without --netns a lab lives on this machine's "
                     "loopback addresses"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LabNode> Lab::Node(const std::string& name) const {
  for (const LabNode& node : nodes) {
    if (node.name == name) return node;
  }
  return absl::NotFoundError(absl::StrCat("there is no node '", name, "' in the lab at ",
                                          state.string(), "; there are ", nodes.front().name,
                                          " to ", nodes.back().name));
}

absl::StatusOr<Lab> PlanLab(const LabPlan& plan) {
  if (plan.nodes < 1) return absl::InvalidArgumentError("--nodes: there must be at least 1");
  if (plan.port < 1 || plan.port > 65534) {
    return absl::InvalidArgumentError(absl::StrCat("--port: ", plan.port, " is not in 1..65534"));
  }
  const auto ranges = AddressRanges::Parse({plan.range});
  if (!ranges.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--range: ", ranges.status().message()));
  }
  if (absl::Status status = CheckNetwork(plan, *ranges); !status.ok()) return status;
  // n1 of 127.88.0.0/24 is 127.88.0.1: an address that ends in 0 is nobody's.
  const std::uint32_t skipped = ranges->At(0).bytes.back() == 0 && ranges->size() > 1 ? 1 : 0;
  const auto count = static_cast<std::uint32_t>(plan.nodes);
  if (count > ranges->size() - skipped) {
    return absl::FailedPreconditionError(
        absl::StrCat("--nodes: ", count, " nodes do not fit into the ", ranges->size() - skipped,
                     " addresses of ", plan.range, "; give a larger --range"));
  }
  Lab lab{.state = plan.state,
          .range = plan.range,
          .port = plan.port,
          .netns = plan.netns,
          .flock_only = plan.flock_only,
          .loss = plan.loss,
          .nodes = {}};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("n", i + 1);
    lab.nodes.push_back({.name = name,
                         .address = ranges->At(i + skipped).ToString(),
                         .labels = {},
                         .state = plan.state / name});
  }
  if (absl::Status status = AddLabels(plan.labels, lab); !status.ok()) return status;
  if (absl::Status status = CheckPath(lab); !status.ok()) return status;
  return lab;
}

absl::StatusOr<Lab> LoadLab(const fs::path& state) {
  std::ifstream file(state / "lab.json");
  if (state.empty() || !file) {
    return absl::NotFoundError(state.empty() ? "there is no lab; `radix lab up` makes one"
                                             : absl::StrCat("there is no lab at ", state.string(),
                                                            "; `radix lab up` makes one"));
  }
  try {
    const auto json = nlohmann::json::parse(file);
    Lab lab{.state = state,
            .range = json.at("range"),
            .port = json.at("port"),
            .netns = json.value("netns", false),
            .flock_only = json.value("flock_only", false),
            .loss = json.value("loss", 0),
            .nodes = {}};
    for (const auto& node : json.at("nodes")) {
      const std::string name = node.at("node");
      lab.nodes.push_back({.name = name,
                           .address = node.at("address"),
                           .labels = node.at("labels"),
                           .state = state / name});
    }
    if (!lab.nodes.empty()) return lab;
  } catch (const nlohmann::json::exception&) {
    // Said below: what exactly is wrong with a file that only this program writes helps nobody.
  }
  return absl::DataLossError(absl::StrCat(
      (state / "lab.json").string(), " is damaged; `radix lab down --state ", state.string(),
      "` still ends the nodes; then remove ", state.string(), " and make the lab anew"));
}

std::vector<LabNode> NodesLeftIn(const fs::path& state) {
  std::vector<LabNode> nodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(state, error)) {
    if (!fs::exists(entry.path() / "pid", error)) continue;
    nodes.push_back({.name = entry.path().filename().string(),
                     .address = {},
                     .labels = {},
                     .state = entry.path()});
  }
  return nodes;
}

absl::Status MakePlace(const fs::path& state) { return MakePrivateFolder(state); }

absl::Status WriteLab(const Lab& lab) {
  const auto before = LoadLab(lab.state);
  if (absl::IsNotFound(before.status())) {
    for (const auto& entry : fs::directory_iterator(lab.state)) {
      if (entry.path().filename() == "lab.lock") continue;
      return absl::FailedPreconditionError(absl::StrCat(
          lab.state.string(), " holds something else (", entry.path().filename().string(),
          "); choose an empty or a new folder with --state"));
    }
  } else if (!before.ok()) {
    return before.status();
  } else if (before->nodes.size() > lab.nodes.size()) {
    for (const LabNode& node : before->nodes) fs::remove_all(node.state);
  }
  nlohmann::json nodes = nlohmann::json::array();
  for (const LabNode& node : lab.nodes) {
    if (absl::Status status = MakePrivateFolder(node.state); !status.ok()) return status;
    nodes.push_back({{"node", node.name}, {"address", node.address}, {"labels", node.labels}});
  }
  const nlohmann::json json = {{"range", lab.range}, {"port", lab.port},
                               {"netns", lab.netns}, {"flock_only", lab.flock_only},
                               {"loss", lab.loss},   {"nodes", nodes}};
  if (absl::Status status = WriteFile(lab.state / "lab.json", json.dump(2) + "\n"); !status.ok()) {
    return status;
  }
  if (!fs::exists(lab.state / "secondary.key")) {
    if (absl::Status status = confab::MakeKeyFile(lab.state / "secondary.key"); !status.ok()) {
      return status;
    }
  }
  return WriteFile(lab.charter(),
                   absl::StrCat("bloc: lab\nranges: [\"", lab.range, "\"]\nport: ", lab.port,
                                "\nat_most: ", lab.nodes.size(), "\nkey_file: secondary.key\n"));
}

fs::path FindLab(const std::string& flag) {
  std::string place = flag.empty() ? Environment("RADIX_LAB") : flag;
  if (place.empty()) place = Recorded();
  if (place.empty()) return {};
  const fs::path path = fs::absolute(place).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

fs::path DefaultLabPlace() {
  const std::string runtime = Environment("XDG_RUNTIME_DIR");
  // After `su` the variable may still name the folder of somebody else.
  const bool usable = !runtime.empty() && access(runtime.c_str(), W_OK | X_OK) == 0;
  return fs::path(usable ? runtime : "/tmp") / absl::StrCat("radix-lab-", getuid());
}

absl::Status RecordLab(const fs::path& state) {
  const fs::path path = RecordPath();
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  return WriteFile(path, state.string() + "\n");
}

void ForgetLab(const fs::path& state) {
  if (Recorded() != state.string()) return;
  std::error_code error;
  fs::remove(RecordPath(), error);
}

}  // namespace radix::cli
