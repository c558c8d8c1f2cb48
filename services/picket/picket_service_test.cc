#include "services/picket/picket_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "clients/cpp/call.h"
#include "services/confab/dial.h"
#include "services/confab/parent.h"
#include "services/confab/serve.h"

namespace radix::picket {
namespace {

using testing::HasSubstr;
using Stub = v1::PicketService::Stub;

// A picket on both of its listeners, with a supervisor that has nothing to hand over.
class PicketServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "picket-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    node_.node = {
        .name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = folder, .labels = {}};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link_.data()), 0);
    ASSERT_TRUE(confab::SendMessage(link_[0], {{"resume", {{"fence", 0}}}}).ok());
    auto plugins = Plugins::Resume(node_, link_[1]);
    ASSERT_TRUE(plugins.ok()) << plugins.status();
    plugins_ = *std::move(plugins);
    service_ = std::make_unique<PicketService>(*plugins_);
    auto server = confab::Server::Start(node_.node, {.socket = "picket", .port = 0},
                                        {confab::Hosted(*service_)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    tcp_ = NewStub(*confab::Dial(confab::Node{}, server_->net_id(), "picket"));
    local_ = NewStub(confab::DialLocal(node_.node, "picket"));
  }
  void TearDown() override {
    server_.reset();
    plugins_.reset();
    for (const int end : link_) close(end);
    std::filesystem::remove_all(node_.node.state);
  }

  static std::unique_ptr<Stub> NewStub(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::PicketService::NewStub(channel);
  }

  static grpc::Status Start(Stub& stub, std::int64_t epoch) {
    v1::StartRequest request;
    request.set_epoch(epoch);
    request.mutable_spec()->set_id("x");
    request.mutable_spec()->set_owner("test");
    request.mutable_spec()->set_file("/nowhere/at/all");
    v1::StartResponse response;
    return Call(*stub.async(), &Stub::async::Start, request, response, {.timeout = 20s});
  }

  confab::ServiceArguments node_;
  std::array<int, 2> link_{-1, -1};
  std::unique_ptr<Plugins> plugins_;
  std::unique_ptr<PicketService> service_;
  std::unique_ptr<confab::Server> server_;
  std::unique_ptr<Stub> tcp_;
  std::unique_ptr<Stub> local_;
};

TEST_F(PicketServiceTest, TakesOrdersThroughTheNodesUnixSocketAlone) {
  const grpc::Status start = Start(*tcp_, 99);
  EXPECT_EQ(start.error_code(), grpc::StatusCode::PERMISSION_DENIED) << start.error_message();
  EXPECT_THAT(start.error_message(), HasSubstr("picket.sock"));
  // Nor may it make the node refuse the leader that it has.
  const grpc::Status ordered = Start(*local_, 1);
  EXPECT_EQ(ordered.error_code(), grpc::StatusCode::NOT_FOUND) << ordered.error_message();

  v1::StopRequest stop;
  stop.set_epoch(99);
  stop.set_id("x");
  v1::StopResponse stopped;
  EXPECT_EQ(Call(*tcp_->async(), &Stub::async::Stop, stop, stopped).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  stop.set_epoch(1);
  EXPECT_TRUE(Call(*local_->async(), &Stub::async::Stop, stop, stopped).ok());
}

TEST_F(PicketServiceTest, ShowsWhatRunsToWhoeverAsks) {
  v1::ListPluginsResponse response;
  EXPECT_TRUE(Call(*tcp_->async(), &Stub::async::ListPlugins, {}, response).ok());
}

}  // namespace
}  // namespace radix::picket
