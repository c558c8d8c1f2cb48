#include "services/confab/client_hello.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace radix::confab {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::uint16_t kSupportedVersions = 43;
constexpr std::uint16_t kVersion13 = 0x0304;
constexpr std::size_t kRecordMax = 1 << 14;

// Takes numbers and vectors from the front; nullopt from the first that is cut off on.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::optional<std::size_t> Number(std::size_t size) {
    if (bytes_.size() < size) return std::nullopt;
    std::size_t number = 0;
    for (const std::uint8_t each : bytes_.first(size)) number = number << 8 | each;
    bytes_ = bytes_.subspan(size);
    return number;
  }
  std::optional<std::span<const std::uint8_t>> Take(std::size_t size) {
    if (bytes_.size() < size) return std::nullopt;
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  // With its length before it, in so many bytes.
  std::optional<std::span<const std::uint8_t>> Vector(std::size_t length_size) {
    const auto size = Number(length_size);
    return size ? Take(*size) : std::nullopt;
  }
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

// What the records at the front carry; nullopt when they are not those of a handshake. The last may
// be cut off.
std::optional<std::vector<std::uint8_t>> Unwrap(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> message;
  Input in(bytes);
  while (!in.empty()) {
    const auto type = in.Number(1);
    if (type != kHandshakeRecord) return std::nullopt;
    const auto major = in.Number(1);
    if (major && *major != 3) return std::nullopt;
    const auto minor = in.Number(1);
    const auto size = in.Number(2);
    if (!minor || !size) return message;
    if (*size == 0 || *size > kRecordMax) return std::nullopt;
    const auto content = in.Take(std::min(*size, in.size()));
    message.insert(message.end(), content->begin(), content->end());
  }
  return message;
}

bool OffersTls13(std::span<const std::uint8_t> body) {
  Input in(body);
  if (!in.Take(2 + 32) || !in.Vector(1) || !in.Vector(2) || !in.Vector(1)) return false;
  const auto extensions = in.Vector(2);
  if (!extensions) return false;
  Input each(*extensions);
  while (!each.empty()) {
    const auto type = each.Number(2);
    const auto content = each.Vector(2);
    if (!type || !content) return false;
    if (*type != kSupportedVersions) continue;
    Input inner(*content);
    Input versions(inner.Vector(1).value_or(std::span<const std::uint8_t>()));
    while (const auto version = versions.Number(2)) {
      if (*version == kVersion13) return true;
    }
  }
  return false;
}

}  // namespace

ClientHello ReadClientHello(std::span<const std::uint8_t> bytes) {
  const auto message = Unwrap(bytes);
  if (!message) return ClientHello::kRefused;
  Input in(*message);
  const auto type = in.Number(1);
  if (type && *type != kClientHelloMessage) return ClientHello::kRefused;
  const auto size = in.Number(3);
  const bool too_long = bytes.size() >= kClientHelloMax || (size && *size > kClientHelloMax);
  const auto body = size ? in.Take(*size) : std::nullopt;
  if (!body) return too_long ? ClientHello::kRefused : ClientHello::kIncomplete;
  return OffersTls13(*body) ? ClientHello::kTls13 : ClientHello::kRefused;
}

}  // namespace radix::confab
