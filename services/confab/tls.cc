#include "services/confab/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace radix::confab {
namespace {

using grpc::experimental::CertificateProviderInterface;
using grpc::experimental::ExternalCertificateVerifier;
using grpc::experimental::TlsCustomVerificationCheckRequest;

// How often gRPC looks whether the key was replaced.
constexpr unsigned kLookEvery_s = 1;

absl::Status MemoryFailure(const char* what) {
  return absl::InternalError(absl::StrCat("a key in memory: ", what, ": ", std::strerror(errno)));
}

class Verifier final : public ExternalCertificateVerifier {
 public:
  explicit Verifier(CheckPeer check) : check_(std::move(check)) {}

  bool Verify(TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const grpc::string_ref pem = request->peer_cert();
    const auto shown = ReadCertificate({pem.data(), pem.size()});
    const absl::Status checked = check_(shown);
    *status = shown.ok() && checked.ok()
                  ? grpc::Status::OK
                  : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(checked.message()));
    return true;
  }

  void Cancel(TlsCustomVerificationCheckRequest*) override {}

 private:
  const CheckPeer check_;
};

// Keeps the identity, whose file it reads, as long as gRPC keeps the provider.
std::shared_ptr<CertificateProviderInterface> ProviderOf(std::shared_ptr<TlsIdentity> identity) {
  const std::string path = identity->path();
  auto* const provider = new grpc::experimental::FileWatcherCertificateProvider(
      path, path, /*root_cert_path=*/"", kLookEvery_s);
  return {provider,
          [identity = std::move(identity)](CertificateProviderInterface* each) { delete each; }};
}

CheckPeer WithBudget(std::shared_ptr<Connections> connections, CheckPeer check) {
  return [connections = std::move(connections),
          check = std::move(check)](const absl::StatusOr<Shown>& shown) {
    absl::Status checked = check(shown);
    if (checked.ok() && shown.ok() && !connections->AdmitsKey(shown->key)) {
      return absl::ResourceExhaustedError("its key has used up too much");
    }
    return checked;
  };
}

}  // namespace

absl::StatusOr<std::shared_ptr<TlsIdentity>> TlsIdentity::Make(const TlsKey& key) {
  Descriptor file(memfd_create("radix-key", MFD_CLOEXEC));
  if (!file) return MemoryFailure("memfd_create");
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(std::move(file)));
  if (absl::Status written = identity->Replace(key); !written.ok()) return written;
  return identity;
}

absl::Status TlsIdentity::Replace(const TlsKey& key) {
  // Both in one file and by one write: who reads it in between sees that it changed, by its time.
  std::string text = key.private_pem() + key.certificate_pem();
  const std::lock_guard lock(mutex_);
  const ssize_t size = pwrite(file_.get(), text.data(), text.size(), 0);
  const bool whole = size == static_cast<ssize_t>(text.size()) && ftruncate(file_.get(), size) == 0;
  OPENSSL_cleanse(text.data(), text.size());
  if (!whole) return MemoryFailure("write");
  id_ = key.id();
  return absl::OkStatus();
}

KeyId TlsIdentity::id() const {
  const std::lock_guard lock(mutex_);
  return id_;
}

std::string TlsIdentity::path() const { return absl::StrCat("/proc/self/fd/", file_.get()); }

std::shared_ptr<grpc::ServerCredentials> ServerTls(std::shared_ptr<TlsIdentity> identity,
                                                   CheckPeer check,
                                                   std::shared_ptr<Connections> connections) {
  if (connections != nullptr) check = WithBudget(std::move(connections), std::move(check));
  grpc::experimental::TlsServerCredentialsOptions options(ProviderOf(std::move(identity)));
  options.watch_identity_key_cert_pairs();
  // What is asked for is proof of the key; whose it is, the verifier decides.
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  options.set_certificate_verifier(ExternalCertificateVerifier::Create<Verifier>(std::move(check)));
  return grpc::experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientTls(const TlsKey& key, CheckPeer check) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  // gRPC has no provider that watches but one with a thread; what never changes needs none.
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::StaticDataCertificateProvider>(std::vector{
          grpc::experimental::IdentityKeyCertPair{key.private_pem(), key.certificate_pem()}}));
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);  // no authority signed it; the verifier knows the key
  options.set_check_call_host(false);
  options.set_certificate_verifier(ExternalCertificateVerifier::Create<Verifier>(std::move(check)));
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace radix::confab
