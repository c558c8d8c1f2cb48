#include "services/flock/supervisor_driver.h"

#include <spdlog/spdlog.h>

#include <string>

#include "services/confab/parent.h"

namespace radix::flock {

bool TellSupervisor(std::optional<std::uint64_t> epoch) {
  const auto link = confab::SupervisorFd();
  if (!link) return true;
  const nlohmann::json message =
      epoch ? nlohmann::json{{"lead", *epoch}} : nlohmann::json{{"follow", true}};
  const auto sent = confab::SendMessage(*link, message);
  if (!sent.ok()) spdlog::warn("{}", std::string(sent.message()));
  return sent.ok();
}

}  // namespace radix::flock
