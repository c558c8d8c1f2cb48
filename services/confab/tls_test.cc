#include "services/confab/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/time.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;
using ::testing::HasSubstr;

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

class Beasts final : public Galumph::Service {
 public:
  std::atomic<int> calls = 0;

  grpc::Status Register(grpc::ServerContext* context, const galumph::v2::RegisterRequest*,
                        galumph::v2::RegisterResponse*) override {
    ++calls;
    const auto shown = context->auth_context()->FindPropertyValues("x509_pem_cert");
    const std::lock_guard lock(mutex_);
    caller_.reset();
    if (shown.size() == 1) {
      caller_ = ReadCertificate({shown[0].data(), shown[0].size()})->key;
    }
    return grpc::Status::OK;
  }

  std::optional<KeyId> caller() const {
    const std::lock_guard lock(mutex_);
    return caller_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<KeyId> caller_;
};

std::shared_ptr<TlsKey> NewKey() { return std::make_shared<TlsKey>(*TlsKey::Make()); }

CheckPeer Only(const KeyId& key) {
  return [key](const absl::StatusOr<Shown>& shown) {
    if (!shown.ok()) return shown.status();
    if (shown->key == key) return absl::OkStatus();
    return absl::PermissionDeniedError(
        absl::StrCat("key ", shown->key.ToString().substr(0, 8), " is not the expected one"));
  };
}

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0",
                             ServerTls(server_key_,
                                       [this](const absl::StatusOr<Shown>& shown) {
                                         ++handshakes_;
                                         return Only(client_key_->id())(shown);
                                       }),
                             &port_);
    builder.RegisterService(&beasts_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void TearDown() override { server_->Shutdown(WallNow()); }

  std::shared_ptr<grpc::Channel> Channel(std::shared_ptr<grpc::ChannelCredentials> credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(kTlsName);
    return grpc::CreateCustomChannel(absl::StrCat("ipv4:127.0.0.1:", port_), credentials,
                                     arguments);
  }
  std::shared_ptr<grpc::Channel> ChannelAs(const std::shared_ptr<TlsKey>& key) {
    return Channel(ClientTls(*key, Only(server_key_->id())));
  }

  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(WallNow() + 10s);
    galumph::v2::RegisterResponse reply;
    return Galumph::NewStub(channel)->Register(&context, {}, &reply);
  }

  std::shared_ptr<TlsIdentity> server_key_ = *TlsIdentity::Make(*TlsKey::Make());
  std::shared_ptr<TlsKey> client_key_ = NewKey();
  Beasts beasts_;
  std::atomic<int> handshakes_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(TlsTest, EachSideKnowsTheOthersKey) {
  const grpc::Status status = Call(ChannelAs(client_key_));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(beasts_.caller(), client_key_->id());
  EXPECT_EQ(handshakes_, 1);
}

TEST_F(TlsTest, AnUnknownCallerGetsNoFurtherThanTheHandshake) {
  const grpc::Status status = Call(ChannelAs(NewKey()));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(beasts_.calls, 0);
  EXPECT_GE(handshakes_, 1);
}

TEST_F(TlsTest, AnotherServerIsNotCalled) {
  const auto other = NewKey();
  const grpc::Status status = Call(Channel(ClientTls(*client_key_, Only(other->id()))));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("is not the expected one"));
  EXPECT_EQ(beasts_.calls, 0);
}

// The certificate of `key`, as if it had been made for that time.
std::string Dated(const TlsKey& key, const char* from, const char* until) {
  const auto read = [](const std::string& pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all);
  };
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(read(key.certificate_pem()).get(), nullptr, nullptr, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> own(
      PEM_read_bio_PrivateKey(read(key.private_pem()).get(), nullptr, nullptr, nullptr),
      EVP_PKEY_free);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate.get()), from), 1);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), until), 1);
  EXPECT_GT(X509_sign(certificate.get(), own.get(), EVP_sha256()), 0);
  const BioPtr written(BIO_new(BIO_s_mem()), BIO_free_all);
  EXPECT_EQ(PEM_write_bio_X509(written.get(), certificate.get()), 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(written.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::shared_ptr<grpc::experimental::StaticDataCertificateProvider> Shows(
    const TlsKey& key, const std::string& certificate) {
  return std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      std::vector{grpc::experimental::IdentityKeyCertPair{key.private_pem(), certificate}});
}

// Clocks are wrong, on either side.
TEST_F(TlsTest, WhenACertificateWasMadeDoesNotMatter) {
  for (const auto& [from, until] : {std::pair("19990101000000Z", "19990102000000Z"),
                                    std::pair("20990101000000Z", "20990102000000Z")}) {
    grpc::experimental::TlsChannelCredentialsOptions as_client;
    as_client.set_certificate_provider(Shows(*client_key_, Dated(*client_key_, from, until)));
    as_client.watch_identity_key_cert_pairs();
    as_client.set_verify_server_certs(false);
    as_client.set_check_call_host(false);
    const grpc::Status called = Call(Channel(grpc::experimental::TlsCredentials(as_client)));
    EXPECT_TRUE(called.ok()) << from << ": " << called.error_message();
    EXPECT_EQ(beasts_.caller(), client_key_->id());

    const auto key = NewKey();
    grpc::experimental::TlsServerCredentialsOptions as_server(
        Shows(*key, Dated(*key, from, until)));
    as_server.watch_identity_key_cert_pairs();
    Beasts beasts;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::experimental::TlsServerCredentials(as_server),
                             &port);
    builder.RegisterService(&beasts);
    const auto server = builder.BuildAndStart();
    std::swap(port, port_);
    const grpc::Status served = Call(Channel(ClientTls(*client_key_, Only(key->id()))));
    std::swap(port, port_);
    EXPECT_TRUE(served.ok()) << from << ": " << served.error_message();
    server->Shutdown(WallNow());
  }
}

TEST_F(TlsTest, WithoutACertificateNobodyComesIn) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  const grpc::Status status = Call(Channel(grpc::experimental::TlsCredentials(options)));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(Channel(grpc::InsecureChannelCredentials())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(beasts_.calls, 0);
  EXPECT_EQ(handshakes_, 0);
}

// A server's key rolls while it runs: who is connected stays, who comes pins the new one.
TEST_F(TlsTest, AKeyIsReplacedUnderARunningServer) {
  const auto before = ChannelAs(client_key_);
  ASSERT_TRUE(Call(before).ok());
  const TlsKey next = *TlsKey::Make();
  ASSERT_TRUE(server_key_->Replace(next).ok());
  EXPECT_EQ(server_key_->id(), next.id());
  const Instant limit = Now() + 20s;
  grpc::Status status;
  do {
    status = Call(Channel(ClientTls(*client_key_, Only(next.id()))));
  } while (!status.ok() && Now() < limit);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(Call(before).ok()) << "the old connection goes on";
  EXPECT_EQ(before->GetState(false), GRPC_CHANNEL_READY);
}

TEST(TlsIdentityTest, TheKeyIsInNoFolder) {
  const auto identity = *TlsIdentity::Make(*TlsKey::Make());
  EXPECT_THAT(identity->path(), HasSubstr("/proc/self/fd/"));
}

}  // namespace
}  // namespace radix::confab
