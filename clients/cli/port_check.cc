#include "clients/cli/port_check.h"

#include "absl/strings/str_cat.h"
#include "services/confab/bindable.h"

namespace radix::cli {

absl::Status CheckPortsFree(const Lab& lab, const LabNode& node) {
  if (lab.netns) return absl::OkStatus();  // nobody else is in its network
  const auto ip = IpAddress::Parse(node.address);
  if (!ip.ok()) return absl::OkStatus();  // fulcrum says what is wrong with it
  const absl::Status status = confab::CheckNodePorts(*ip, static_cast<std::uint16_t>(lab.port));
  if (!absl::IsAlreadyExists(status)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(node.name, ": ", std::string(status.message())));
}

}  // namespace radix::cli
