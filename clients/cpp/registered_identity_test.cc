// Applications that call each other on one node, whose reeve knows them.

#include "clients/cpp/registered_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "clients/cpp/call.h"
#include "clients/cpp/client_stream.h"
#include "clients/cpp/fake_galumph.h"
#include "clients/cpp/fake_node.h"
#include "services/confab/certificate.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/tls.h"
#include "tests/wait.h"

namespace radix {
namespace {

using galumph::v2::Galumph;
using testing::HasSubstr;

using Dialled = absl::StatusOr<std::shared_ptr<grpc::Channel>>;

class RegisteredIdentityTest : public testing::Test {
 protected:
  RegisteredIdentityTest() { server_ = Start("galumph2_3", 0); }
  ~RegisteredIdentityTest() override {
    service_.Release();
    server_->Shutdown(100ms);
  }

  std::unique_ptr<confab::Server> Start(const std::string& inst, std::uint16_t port) {
    auto server = confab::Server::Start(
        cart_.node,
        {.socket = "", .port = port, .horde = "default", .api = "galumph2", .inst = inst},
        {confab::Hosted(service_)});
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  confab::Callee Callee(const std::string& api = "galumph2") const {
    return {.endpoint = *Endpoint::Parse(server_->net_id()),
            .horde = "default",
            .api = api,
            .inst = ""};
  }

  Dialled Dial(const Network& network, const confab::Callee& to) {
    auto dialled = std::make_shared<std::promise<Dialled>>();
    confab::DialIntroduced(network.node, to, {},
                           [dialled](Dialled channel) { dialled->set_value(std::move(channel)); });
    return Await(dialled->get_future(), "an introduction");
  }

  grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel) {
    const auto stub = Galumph::NewStub(channel);
    const galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse reply;
    return Call(*stub->async(), &Galumph::Stub::async::Register, request, reply);
  }

  // What somebody gets who has a key that nobody was told of.
  grpc::Status AskAsStranger(const std::string& net_id) {
    const auto key = confab::TlsKey::Make();
    const auto credentials =
        confab::ClientTls(*key, [](const auto& /*shown*/) { return absl::OkStatus(); });
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(confab::kTlsName);
    return Ask(grpc::CreateCustomChannel("ipv4:" + net_id, credentials, arguments));
  }

  FakeNode node_;
  const Network cart_ = node_.network("cart");
  const Network shop_ = node_.network("shop");
  FakeGalumph service_{"galumph2_3"};
  std::unique_ptr<confab::Server> server_;
};

TEST_F(RegisteredIdentityTest, WhoeverTheRulesLetCallIsLetIn) {
  const auto channel = Dial(shop_, Callee());
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_TRUE(Ask(*channel).ok());
}

TEST_F(RegisteredIdentityTest, AStrangerIsRefusedInTheHandshake) {
  EXPECT_EQ(AskAsStranger(server_->net_id()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_.calls(), 0);
}

TEST_F(RegisteredIdentityTest, ARuleThatForbidsItIsNamed) {
  node_.SetRules("call default/other default/*\nserve default/* default/*\n");
  const auto channel = Dial(shop_, Callee());
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(channel.status().message()),
              HasSubstr("default/shop may not call default/galumph2: no rule matches"));
  EXPECT_TRUE(Dial(node_.network("other"), Callee()).ok());
}

TEST_F(RegisteredIdentityTest, WhoeverLosesHisRightIsCutOffAtOnce) {
  const auto channel = Dial(shop_, Callee());
  ASSERT_TRUE(Ask(*channel).ok());
  service_.Hold();
  std::promise<grpc::Status> ended;
  grpc::ClientContext context;
  const galumph::v2::RegisterRequest request;
  galumph::v2::RegisterResponse reply;
  const auto stub = Galumph::NewStub(*channel);
  stub->async()->Register(&context, &request, &reply,
                          [&](grpc::Status status) { ended.set_value(std::move(status)); });
  ASSERT_TRUE(Eventually([&] { return service_.calls() == 2; }));
  node_.SetRules("serve default/* default/*\n");
  EXPECT_FALSE(Await(ended.get_future(), "the end of a call").ok());
  service_.Release();
  EXPECT_FALSE(Ask(*channel).ok());
}

TEST_F(RegisteredIdentityTest, ANodeThatWasRevokedIsCutOff) {
  const auto channel = Dial(shop_, Callee());
  ASSERT_TRUE(Ask(*channel).ok());
  node_.SetRevoked({.keys = {}, .nodes = {1}});
  EXPECT_TRUE(Eventually([&] { return !Ask(*channel).ok(); }));
  EXPECT_THAT(std::string(Dial(shop_, Callee()).status().message()), HasSubstr("was revoked"));
}

TEST_F(RegisteredIdentityTest, WhatIsServedThereIsWhatIsMeant) {
  const auto other = Dial(shop_, Callee("cart2"));
  EXPECT_EQ(other.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("serves galumph2_3 of default/galumph2 now"));
}

TEST_F(RegisteredIdentityTest, NobodyServesWhatTheRulesDoNotLetHim) {
  node_.SetRules("call default/* default/*\nserve default/other default/*\n");
  EXPECT_TRUE(Eventually([&] { return !Dial(shop_, Callee()).ok(); }));
  EXPECT_EQ(AskAsStranger(server_->net_id()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RegisteredIdentityTest, AKeyThatIsNoLongerUsedIsNotLetIn) {
  // Somebody keeps the key of a channel that is gone, and comes again.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  {
    const Network shop = node_.network("shop");
    std::promise<absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>> introduced;
    shop.node.identity->Introduce(Callee(), [&](auto made) { introduced.set_value(made); });
    credentials = *Await(introduced.get_future(), "an introduction");
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(confab::kTlsName);
    EXPECT_TRUE(
        Ask(grpc::CreateCustomChannel("ipv4:" + server_->net_id(), credentials, arguments)).ok());
  }
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(confab::kTlsName);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  EXPECT_TRUE(Eventually([&] {
    return !Ask(grpc::CreateCustomChannel("ipv4:" + server_->net_id(), credentials, arguments))
                .ok();
  }));
}

TEST_F(RegisteredIdentityTest, CallsGoOnWhileReeveIsAway) {
  const auto channel = Dial(shop_, Callee());
  ASSERT_TRUE(Ask(*channel).ok());
  node_.StopReeve();
  EXPECT_TRUE(Ask(*channel).ok());
  node_.StartReeve();
  EXPECT_TRUE(Ask(*channel).ok());
  // And new ones are let in again.
  EXPECT_TRUE(Eventually([&] { return Dial(shop_, Callee()).ok(); }));
  EXPECT_TRUE(Ask(*channel).ok());
}

TEST_F(RegisteredIdentityTest, AServerTakesAnotherKeyAndNobodyNotices) {
  const auto channel = Dial(shop_, Callee());
  ASSERT_TRUE(Ask(*channel).ok());
  ASSERT_EQ(node_.Keys().endpoints_size(), 1);
  const std::string before = node_.Keys().endpoints(0).keys(0);
  node_.RollKeys();
  bool overlapped = false;
  Instant next_dial{};
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Ask(*channel).ok());
    if (confab::Now() >= next_dial) {  // and not more often than one host may
      next_dial = confab::Now() + 300ms;
      const auto now = Dial(shop_, Callee());
      EXPECT_TRUE(now.ok() && Ask(*now).ok()) << now.status();
    }
    const auto keys = node_.Keys().endpoints(0).keys();
    overlapped = overlapped || keys.size() == 2;
    return keys.size() == 1 && keys[0] != before;
  }));
  EXPECT_TRUE(overlapped);
}

TEST_F(RegisteredIdentityTest, WithoutReeveTheReasonIsSaid) {
  node_.StopReeve();
  const auto channel = Dial(node_.network("late"), Callee());
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(channel.status().message()), HasSubstr("this node's reeve"));
}

}  // namespace
}  // namespace radix
