#include "services/confab/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/time.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;
using ::testing::HasSubstr;

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
