#include "services/confab/log.h"

#include <spdlog/cfg/helpers.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace radix::confab {

void StartLog(const std::string& service) {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>(service, std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %n[%P] %l: %v");
  const char* level = std::getenv("RADIX_LOG");
  spdlog::set_level(spdlog::level::info);
  if (level != nullptr) spdlog::cfg::helpers::load_levels(level);
}

int Fail(const absl::Status& status, int exit_status) {
  spdlog::error("{}", std::string(status.message()));
  return exit_status;
}

}  // namespace radix::confab
