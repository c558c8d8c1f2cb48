#include "services/confab/utf8.h"

#include <nlohmann/json.hpp>

namespace radix::confab {

bool IsUtf8(const std::string& bytes) {
  try {
    return !nlohmann::json(bytes).dump().empty();
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace radix::confab
