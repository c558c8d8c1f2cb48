#include "services/confab/caller.h"

#include <utility>

#include "services/confab/certificate.h"

namespace radix::confab {

std::optional<Shown> ShownBy(const grpc::ServerContextBase& context) {
  const auto pem = context.auth_context()->FindPropertyValues("x509_pem_cert");
  if (pem.empty()) return std::nullopt;
  auto shown = ReadCertificate({pem.front().data(), pem.front().size()});
  if (!shown.ok()) return std::nullopt;
  return *std::move(shown);
}

}  // namespace radix::confab
