#include "services/confab/grpc_status.h"

#include <cstddef>
#include <string_view>

namespace radix::confab {
namespace {

// gRPC takes 8 KiB of metadata at most; of a message each byte may need three there.
constexpr std::size_t kMessageMax = 2000;

bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  const std::string_view message(status.message().data(), status.message().size());
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  if (message.size() <= kMessageMax) return grpc::Status(code, std::string(message));
  std::size_t end = kMessageMax;
  while (end > 0 && ContinuesCharacter(message[end])) --end;
  return grpc::Status(code, std::string(message.substr(0, end)) + " ...");
}

}  // namespace radix::confab
