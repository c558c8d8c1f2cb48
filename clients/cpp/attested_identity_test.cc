#include "clients/cpp/attested_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/fake_galumph.h"
#include "clients/cpp/subscription.h"
#include "services/confab/certificate.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/fingerprint.h"
#include "services/confab/identity.h"
#include "services/confab/node_key.h"
#include "services/confab/serve.h"
#include "services/confab/tls.h"
#include "services/trust/trust_service.h"
#include "tests/wait.h"

namespace radix {
namespace {

using testing::HasSubstr;

constexpr char kFlock[] = "burrow";

// A node with a key, on which reeve tells who lives.
class TestNode {
 public:
  explicit TestNode(int host, const std::string& flock_id = kFlock) {
    std::string pattern = testing::TempDir() + "/radix-identity-XXXXXX";
    node_ = {.name = absl::StrCat("n", host),
             .address = *IpAddress::Parse(absl::StrCat("127.0.0.", host)),
             .state = mkdtemp(pattern.data()),
             .flock_id = flock_id};
    const auto seed = confab::LoadOrMakeNodeKey(node_.state);
    const auto attestation =
        confab::ReadAttestation(confab::Attest(*seed, kFlock, "x", KeyId{}), kFlock, KeyId{});
    key_ = {node_.address, FingerprintOf(attestation->node)};
    trust_.SetRevoked({});
    reeve_ = *confab::Server::Start(node_, {.socket = "reeve"}, {confab::Hosted(trust_)});
  }
  ~TestNode() {
    trust_.EndStreams();
    reeve_->Shutdown(1s);
    std::filesystem::remove_all(node_.state);
  }

  const confab::Node& node() const { return node_; }
  const trust::NodeKey& key() const { return key_; }
  trust::TrustServiceImpl& trust() { return trust_; }
  // As its own `service` sees it.
  confab::Node As(const std::string& service) { return AttestedNetwork(node_, service)->node; }

 private:
  confab::Node node_;
  trust::NodeKey key_;
  trust::TrustServiceImpl trust_;
  std::unique_ptr<confab::Server> reeve_;
};

// Calls once for each connection, until that is answered or `limit` is over.
grpc::Status CallOn(const std::shared_ptr<grpc::Channel>& channel, Duration limit) {
  grpc::ClientContext context;
  context.set_deadline(confab::WallDeadline(limit));
  galumph::v2::RegisterRequest request;
  galumph::v2::RegisterResponse response;
  return galumph::v2::Galumph::NewStub(channel)->Register(&context, request, &response);
}

class AttestedIdentityTest : public testing::Test {
 protected:
  AttestedIdentityTest() {
    here_.trust().SetNodes({here_.key(), there_.key()});
    there_.trust().SetNodes({here_.key(), there_.key()});
    server_ = *confab::Server::Start(steward_, {.port = 0, .horde = "radix", .api = "steward1"},
                                     {confab::Hosted(beasts_)});
  }
  ~AttestedIdentityTest() override { server_->Shutdown(1s); }

  // Within the limit both sides hear who lives, so that a first refusal is no answer.
  grpc::Status Call(const confab::Node& from, const std::string& service = "steward") {
    const auto channel = confab::Dial(from, server_->net_id(), service);
    const Instant end = confab::Now() + 10s;
    grpc::Status status = CallOn(*channel, 2s);
    while (!status.ok() && confab::Now() < end) status = CallOn(*channel, 2s);
    return status;
  }
  // For what must never succeed.
  grpc::Status Refusal(const confab::Node& from, const std::string& service = "steward") {
    EXPECT_TRUE(Call(reeve_).ok());  // both sides know who lives
    return CallOn(*confab::Dial(from, server_->net_id(), service), 5s);
  }
  // Dials anew until it is refused.
  grpc::Status FirstRefusal() {
    const Instant end = confab::Now() + 10s;
    grpc::Status status;
    while (status.ok() && confab::Now() < end) {
      status = CallOn(*confab::Dial(reeve_, server_->net_id(), "steward"), 2s);
    }
    return status;
  }
  grpc::Status RefusalOf(std::shared_ptr<grpc::ChannelCredentials> credentials) {
    EXPECT_TRUE(Call(reeve_).ok());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(confab::kTlsName);
    return CallOn(grpc::CreateCustomChannel("ipv4:" + server_->net_id(), credentials, arguments),
                  5s);
  }

  TestNode here_{2};
  TestNode there_{3};
  confab::Node reeve_ = here_.As("reeve");
  confab::Node steward_ = there_.As("steward");
  FakeGalumph beasts_{"galumph2_3"};
  std::unique_ptr<confab::Server> server_;
};

confab::CheckPeer Anybody() {
  return [](const absl::StatusOr<confab::Shown>&) { return absl::OkStatus(); };
}

TEST_F(AttestedIdentityTest, ABasicServiceOfAnotherNodeIsLetIn) { EXPECT_TRUE(Call(reeve_).ok()); }

TEST_F(AttestedIdentityTest, WhoMayNotCallIsNotLetIn) {
  EXPECT_EQ(Refusal(here_.As("pastiche")).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(AttestedIdentityTest, TheCallerGoesOnOnlyWithWhomItMeant) {
  const grpc::Status status = Refusal(reeve_, "proctor");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("it is steward of 127.0.0.3, not proctor"));
}

// The same service of another node listens where that of 127.0.0.3 is thought to be.
TEST_F(AttestedIdentityTest, TheRightServiceOfTheWrongNodeIsNotBelieved) {
  EXPECT_TRUE(Call(reeve_).ok());
  here_.trust().SetNodes({here_.key(), {*IpAddress::Parse("127.0.0.4"), there_.key().fingerprint}});
  const grpc::Status status = FirstRefusal();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("it is steward of 127.0.0.4, not steward of"));
}

TEST_F(AttestedIdentityTest, AServiceOfANodeThatIsGoneIsNotLetIn) {
  EXPECT_TRUE(Call(reeve_).ok());
  there_.trust().SetNodes({there_.key()});
  EXPECT_EQ(FirstRefusal().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(AttestedIdentityTest, WhoseNodeWasRevokedIsThrownOutAndNotLetInAgain) {
  const auto channel = *confab::Dial(reeve_, server_->net_id(), "steward");
  EXPECT_TRUE(Call(reeve_).ok());
  EXPECT_TRUE(CallOn(channel, 5s).ok());
  there_.trust().SetRevoked({.nodes = {*here_.key().fingerprint}});
  // The connection ends: the call after it needs a new one.
  EXPECT_TRUE(Eventually([&] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
  EXPECT_EQ(CallOn(channel, 2s).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(FirstRefusal().error_code(), grpc::StatusCode::UNAVAILABLE);
  there_.trust().SetRevoked({});
  EXPECT_TRUE(Call(reeve_).ok());
}

// Its issued key is revoked, and nothing else of its node.
TEST_F(AttestedIdentityTest, ARevokedKeyIsThrownOutWithItsStreams) {
  const auto seed = confab::LoadOrMakeNodeKey(here_.node().state);
  const auto key = confab::TlsKey::Make(
      [&](const KeyId& id) { return confab::Attest(*seed, kFlock, "reeve", id); });
  EXPECT_TRUE(Call(reeve_).ok());
  beasts_.Hold();
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(confab::kTlsName);
  const auto channel = grpc::CreateCustomChannel("ipv4:" + server_->net_id(),
                                                 confab::ClientTls(*key, Anybody()), arguments);
  auto held = std::async(std::launch::async, [&] { return CallOn(channel, 20s); });
  ASSERT_TRUE(Eventually([&] { return beasts_.calls() == 2; }));
  there_.trust().SetRevoked({.keys = {key->id()}});
  EXPECT_EQ(Await(std::move(held), "the held call").error_code(), grpc::StatusCode::UNAVAILABLE);
  beasts_.Release();
  EXPECT_FALSE(CallOn(channel, 2s).ok());
  EXPECT_TRUE(Call(reeve_).ok());
}

TEST_F(AttestedIdentityTest, WhereNobodyKnowsWhatWasRevokedNoOperatorIsLetIn) {
  const auto seed = confab::LoadOrMakeNodeKey(here_.node().state);
  const auto key = confab::TlsKey::Make(
      [&](const KeyId& id) { return confab::Attest(*seed, kFlock, "operator.steward", id); });
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(confab::kTlsName);
  const auto dial = [&] {
    return grpc::CreateCustomChannel("ipv4:" + server_->net_id(),
                                     confab::ClientTls(*key, Anybody()), arguments);
  };
  const auto channel = dial();
  EXPECT_TRUE(CallOn(channel, 5s).ok());
  there_.trust().SetCutOff(true);
  EXPECT_TRUE(Eventually([&] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
  EXPECT_FALSE(CallOn(dial(), 2s).ok());
  EXPECT_TRUE(Call(reeve_).ok()) << "without the basic services there would be no leader again";
  there_.trust().SetCutOff(false);
  EXPECT_TRUE(Eventually([&] { return CallOn(dial(), 2s).ok(); }));
}

// Before dean has said what was revoked, nobody is let in.
TEST(AttestedIdentityBootTest, AReeveThatDoesNotKnowWhatWasRevokedTellsNobodyWhoLives) {
  trust::TrustServiceImpl trust;
  std::string folder = testing::TempDir() + "/radix-identity-XXXXXX";
  const confab::Node node{.name = "n2",
                          .address = *IpAddress::Parse("127.0.0.2"),
                          .state = mkdtemp(folder.data()),
                          .flock_id = kFlock};
  const auto reeve = *confab::Server::Start(node, {.socket = "reeve"}, {confab::Hosted(trust)});
  trust.SetNodes({{node.address, 1}});
  std::promise<trust::v1::WatchPeersResponse> first;
  {
    const Subscription<trust::v1::WatchPeersResponse> watch(
        WatchLocal<trust::v1::TrustService>(node, "reeve",
                                            &trust::v1::TrustService::Stub::async::WatchPeers),
        [&](const trust::v1::WatchPeersResponse& message) { first.set_value(message); });
    auto told = first.get_future();
    EXPECT_EQ(told.wait_for(200ms), std::future_status::timeout);
    trust.SetRevoked({.nodes = {7}});
    const trust::v1::WatchPeersResponse message = Await(std::move(told), "the first message");
    EXPECT_EQ(message.nodes_size(), 1);
    EXPECT_EQ(message.revoked().node_fingerprints_size(), 1);
  }
  trust.EndStreams();
  reeve->Shutdown(1s);
  std::filesystem::remove_all(node.state);
}

TEST_F(AttestedIdentityTest, AnotherFlockIsNotLetIn) {
  TestNode stranger(4, "warren");
  stranger.trust().SetNodes({here_.key(), there_.key(), stranger.key()});
  there_.trust().SetNodes({here_.key(), there_.key(), stranger.key()});
  EXPECT_FALSE(Refusal(stranger.As("reeve")).ok());
}

TEST_F(AttestedIdentityTest, WithoutACertificateOrInPlaintextNobodyIsLetIn) {
  EXPECT_FALSE(RefusalOf(grpc::InsecureChannelCredentials()).ok());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  EXPECT_FALSE(RefusalOf(grpc::experimental::TlsCredentials(options)).ok());
}

TEST_F(AttestedIdentityTest, ACertificateForWhichNobodyVouchesIsWorthNothing) {
  EXPECT_FALSE(RefusalOf(confab::ClientTls(*confab::TlsKey::Make(), Anybody())).ok());
}

// What vouches for one key is put into the certificate of another.
TEST_F(AttestedIdentityTest, AnAttestationIsForOneKey) {
  const auto seed = confab::LoadOrMakeNodeKey(here_.node().state);
  const auto stolen = confab::TlsKey::Make(
      [&](const KeyId&) { return confab::Attest(*seed, kFlock, "reeve", KeyId{}); });
  EXPECT_FALSE(RefusalOf(confab::ClientTls(*stolen, Anybody())).ok());
  const auto own = confab::TlsKey::Make(
      [&](const KeyId& key) { return confab::Attest(*seed, kFlock, "reeve", key); });
  EXPECT_TRUE(RefusalOf(confab::ClientTls(*own, Anybody())).ok());
}

TEST_F(AttestedIdentityTest, ANodeKeyThatOthersCanReadIsRefused) {
  chmod((here_.node().state / "node.key").c_str(), 0644);
  const auto network = AttestedNetwork(here_.node(), "reeve");
  EXPECT_EQ(network.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(network.status().message()), HasSubstr("node.key"));
}

}  // namespace
}  // namespace radix
