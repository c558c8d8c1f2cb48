#include "services/confab/key_id.h"

#include <cstddef>

namespace radix {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string KeyId::ToString() const {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<KeyId> KeyId::Parse(std::string_view text) {
  KeyId id;
  if (text.size() != 2 * id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    std::uint8_t& byte = id.bytes[i / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
  }
  return id;
}

}  // namespace radix
