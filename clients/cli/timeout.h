// The flag --timeout of the verbs that wait.

#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>

#include "services/confab/time.h"

namespace radix::cli {

// Adds `--timeout SECONDS`, of which `seconds` is the default. It takes 0 to 86400, a day.
inline CLI::Option* AddTimeout(CLI::App& verb, double& seconds, const std::string& help) {
  const auto check = [](const std::string& text) -> std::string {
    double value = 0;
    const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
    return number && value >= 0 && value <= 86400 ? "" : "'" + text + "' is not 0 to 86400 seconds";
  };
  return verb.add_option("--timeout", seconds, help)->check(CLI::Validator(check, "SECONDS"));
}

inline Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace radix::cli
