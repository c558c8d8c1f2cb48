#include "services/proctor/document.h"

#include <sodium.h>

#include <utility>

namespace radix::proctor {

std::string Sha256(const std::string& bytes) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return digest;
}

Document Document::Make(std::int64_t epoch, std::int64_t revision, std::string body) {
  std::string checksum = Sha256(body);
  return {epoch, revision, std::move(checksum), std::move(body)};
}

bool Document::IsIntact() const { return checksum == Sha256(body); }

}  // namespace radix::proctor
