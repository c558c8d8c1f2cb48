#include "services/confab/node.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/charter_file.h"

namespace radix::confab {

bool IsLabel(const std::string& text) {
  return !text.empty() && text.size() <= 128 && text.front() != '=' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

absl::StatusOr<bool> IsFlockOnly(const std::string& services) {
  if (services == "all" || services == "none") return services == "none";
  return absl::InvalidArgumentError(
      absl::StrCat("--services: '", services, "' is neither `all` nor `none`"));
}

absl::StatusOr<ServiceArguments> ParseServiceArguments(int argc, const char* const* argv) {
  ServiceArguments arguments;
  std::string address;
  std::string services = "all";
  CLI::App app;
  app.add_option("--charter", arguments.charter_path)->required();
  app.add_option("--name", arguments.node.name)->required();
  app.add_option("--address", address)->required();
  app.add_option("--state", arguments.node.state)->required();
  app.add_option("--label", arguments.node.labels)->allow_extra_args(false);
  app.add_option("--epoch", arguments.epoch);
  app.add_option("--services", services);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (!IsName(arguments.node.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--name: '", arguments.node.name, "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  auto ip = IpAddress::Parse(address);
  if (!ip.ok())
    return absl::InvalidArgumentError(absl::StrCat("--address: ", ip.status().message()));
  arguments.node.address = *ip;
  for (const std::string& label : arguments.node.labels) {
    if (!IsLabel(label)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--label: '", label, "' is not 1 to 128 printable characters, as `tag` or `key=value`"));
    }
  }
  const auto flock_only = IsFlockOnly(services);
  if (!flock_only.ok()) return flock_only.status();
  arguments.flock_only = *flock_only;
  auto charter = LoadCharter(arguments.charter_path);
  if (!charter.ok()) return charter.status();
  arguments.charter = *std::move(charter);
  arguments.node.flock_id = arguments.charter.bloc;
  return arguments;
}

std::vector<std::string> ToCommandLine(const ServiceArguments& arguments) {
  std::vector<std::string> line = {
      "--charter", arguments.charter_path.string(),   "--name",  arguments.node.name,
      "--address", arguments.node.address.ToString(), "--state", arguments.node.state.string()};
  for (const std::string& label : arguments.node.labels) {
    line.push_back("--label=" + label);  // in one, because it may begin with a dash
  }
  if (arguments.epoch != 0) line.insert(line.end(), {"--epoch", absl::StrCat(arguments.epoch)});
  if (arguments.flock_only) line.insert(line.end(), {"--services", "none"});
  return line;
}

absl::StatusOr<Node> NodeFromEnvironment() {
  std::string values[3];
  const char* names[3] = {"RADIX_NODE", "RADIX_ADDRESS", "RADIX_STATE"};
  for (int i = 0; i < 3; ++i) {
    const char* value = std::getenv(names[i]);
    if (value == nullptr || *value == '\0') {
      return absl::FailedPreconditionError(
          absl::StrCat(names[i], " is not set: run this through picket, or set it by hand"));
    }
    values[i] = value;
  }
  if (!IsName(values[0])) {
    return absl::FailedPreconditionError(
        absl::StrCat("RADIX_NODE: '", values[0], "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  auto ip = IpAddress::Parse(values[1]);
  if (!ip.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("RADIX_ADDRESS: ", ip.status().message()));
  }
  const char* flock = std::getenv("RADIX_FLOCK");
  const std::string flock_id = flock == nullptr ? "" : flock;
  if (!flock_id.empty() && !IsName(flock_id)) {
    return absl::FailedPreconditionError(
        absl::StrCat("RADIX_FLOCK: '", flock_id, "' is not 1 to 63 characters of a-z 0-9 -"));
  }
  return Node{
      .name = values[0], .address = *ip, .state = values[2], .labels = {}, .flock_id = flock_id};
}

}  // namespace radix::confab
