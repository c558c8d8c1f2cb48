// Callers with keys that use up more of a server than they may, over real TLS.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/identity.h"
#include "services/confab/serve.h"
#include "services/confab/tls.h"
#include "tests/wait.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;

// Answers, but for those who ask for "later"; who asks for "stuck" keeps its thread until Release.
class Beasts final : public Galumph::CallbackService {
 public:
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest* request,
                                     galumph::v2::RegisterResponse*) override {
    auto* reactor = context->DefaultReactor();
    if (request->beast() == "stuck") {
      ++stuck_;
      released_.wait(false);
    }
    if (request->beast() != "later") {
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
    const std::lock_guard lock(mutex_);
    later_.push_back(reactor);
    return reactor;
  }
  void FinishAll() {
    const std::lock_guard lock(mutex_);
    for (auto* reactor : later_) reactor->Finish(grpc::Status::OK);
    later_.clear();
  }
  std::size_t later() {
    const std::lock_guard lock(mutex_);
    return later_.size();
  }
  void Release() {
    released_ = true;
    released_.notify_all();
  }
  // Those that came that far.
  int stuck() const { return stuck_; }

 private:
  std::atomic<int> stuck_ = 0;
  std::atomic<bool> released_ = false;
  std::mutex mutex_;
  std::vector<grpc::ServerUnaryReactor*> later_;
};

// Believes everybody, and shows a key of its own.
class Trusting final : public Identity {
 public:
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ForServer(
      const Served&, const std::shared_ptr<Connections>& of_server) override {
    connections = of_server;
    return ServerTls(server_key_, Anybody, connections);
  }
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForChannel(
      const Endpoint&, const std::string&) override {
    return ClientTls(key_, Anybody);
  }
  void Introduce(const Callee&, OnIntroduced done) override { done(ClientTls(key_, Anybody)); }
  std::shared_ptr<Connections> connections;

 private:
  static absl::Status Anybody(const absl::StatusOr<Shown>& shown) { return shown.status(); }
  const TlsKey key_ = *TlsKey::Make();
  const std::shared_ptr<TlsIdentity> server_key_ = *TlsIdentity::Make(key_);
};

class GuardedServerTest : public testing::Test {
 protected:
  ~GuardedServerTest() override {
    beasts_.Release();
    beasts_.FinishAll();
    if (server_ != nullptr) server_->Shutdown(10s);
  }

  // A budget for one use, and any amount of all others.
  void Start(Use use, const Allowance& key, const Allowance& host = {}) {
    PeerBudgetOptions budget{.key = {}, .host = {}, .all = {}};
    budget.key[static_cast<std::size_t>(use)] = key;
    budget.host[static_cast<std::size_t>(use)] = host;
    budget.first_bar = budget.most_bar = 1h;
    budget.forgiven_after = 2h;
    const Node node{.address = *IpAddress::Parse("127.0.0.1"), .identity = identity_};
    auto server = Server::Start(node, {.port = 0, .horde = "h", .api = "a", .budget = budget},
                                {Hosted(beasts_)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // With a key that nobody else has.
  std::shared_ptr<grpc::Channel> NewCaller() {
    const Node node{.address = *IpAddress::Parse("127.0.0.1"),
                    .identity = std::make_shared<Trusting>()};
    auto channel = *Dial(node, server_->net_id(), "beasts");
    EXPECT_TRUE(channel->WaitForConnected(WallDeadline(20s)));
    return channel;
  }

  struct Call {
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse response;
    grpc::Status status;
    std::atomic<bool> done = false;
  };
  static std::shared_ptr<Call> Begin(const std::shared_ptr<grpc::Channel>& channel,
                                     const std::string& beast) {
    auto call = std::make_shared<Call>();
    call->request.set_beast(beast);
    call->context.set_deadline(WallDeadline(60s));
    Galumph::NewStub(channel)->async()->Register(&call->context, &call->request, &call->response,
                                                 [call](const grpc::Status& status) {
                                                   call->status = status;
                                                   call->done = true;
                                                 });
    return call;
  }
  static grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& beast) {
    const auto call = Begin(channel, beast);
    EXPECT_TRUE(Eventually([&] { return call->done.load(); }));
    return call->status;
  }

  std::shared_ptr<Trusting> identity_ = std::make_shared<Trusting>();
  Beasts beasts_;
  std::unique_ptr<Server> server_;
};

TEST_F(GuardedServerTest, WhoGivesUpTooManyCallsIsEndedAndStaysOut) {
  Start(Use::kResets, {20, 0.001});
  const auto bad = NewCaller();
  const auto good = NewCaller();
  int given_up = 0;
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Ask(good, "jabberwock").ok());
    const auto call = Begin(bad, "later");
    if (!Eventually([&] { return beasts_.later() > 0 || call->done; })) return false;
    call->context.TryCancel();
    beasts_.FinishAll();
    if (!Eventually([&] { return call->done.load(); })) return false;
    ++given_up;
    return call->status.error_code() == grpc::StatusCode::UNAVAILABLE;
  }));
  EXPECT_GE(given_up, 20);
  EXPECT_EQ(Ask(bad, "bandersnatch").error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Ask(good, "jabberwock").ok());
  EXPECT_TRUE(Ask(NewCaller(), "jubjub").ok());
}

TEST_F(GuardedServerTest, WhoHasTooManyCallsOpenIsEnded) {
  Start(Use::kStreams, {20, 0});
  const auto good = NewCaller();
  const auto bad = NewCaller();
  std::vector<std::shared_ptr<Call>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(Begin(good, "later"));
  EXPECT_TRUE(Eventually([&] { return beasts_.later() == 10; }));
  const auto one_more = Begin(bad, "later");
  EXPECT_TRUE(Eventually([&] { return beasts_.later() == 11; }));
  beasts_.FinishAll();
  for (const auto& each : calls) {
    EXPECT_TRUE(Eventually([&] { return each->done.load(); }));
    EXPECT_TRUE(each->status.ok()) << each->status.error_message();
  }
  std::vector<std::shared_ptr<Call>> too_many;
  for (int i = 0; i < 30; ++i) too_many.push_back(Begin(bad, "later"));
  EXPECT_TRUE(Eventually([&] { return too_many.front()->done.load(); }));
  EXPECT_EQ(too_many.front()->status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Ask(good, "jabberwock").ok());
}

// Each byte of a message is accounted for, however many there are.
TEST_F(GuardedServerTest, WhoSendsMuchIsNotEnded) {
  Start(Use::kStray, {2 << 20, 1});
  const auto good = NewCaller();
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Ask(good, large).ok()) << i;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Ask(good, "jabberwock").ok()) << i;
}

// Before it has called, so that a revocation does not have to end who is not concerned.
TEST_F(GuardedServerTest, WhoWasLetInIsKnown) {
  Start(Use::kStrangers, {}, {1, 0});
  const auto silent = NewCaller();
  EXPECT_TRUE(Eventually([&] {
    return identity_->connections->AdmitHost("127.0.0.1") == Connections::Admission::kAdmitted;
  })) << "it is a stranger still";
  int known = 0;
  EXPECT_EQ(identity_->connections->Recheck([&](const Shown&) { return ++known > 0; }), 0U);
  EXPECT_EQ(known, 1);
}

// Whose key is put out has nothing more done for it, not even what it had sent before.
TEST_F(GuardedServerTest, CallsThatHadComeDoNotRunAnyMoreOnceTheirCallerIsPutOut) {
  Start(Use::kStray, {});
  const auto bad = NewCaller();
  std::vector<std::shared_ptr<Call>> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back(Begin(bad, "stuck"));
  ASSERT_TRUE(Eventually([&] { return beasts_.stuck() > 0; }));
  EXPECT_EQ(identity_->connections->Recheck([](const Shown&) { return false; }), 1U);
  const int ran = beasts_.stuck();
  ASSERT_LT(ran, 1000) << "none was left for later";
  beasts_.Release();
  for (const auto& each : calls) {
    EXPECT_TRUE(Eventually([&] { return each->done.load(); }));
    EXPECT_FALSE(each->status.ok());
  }
  ASSERT_TRUE(server_->Shutdown(10s)) << "a call that was refused never ended";
  server_.reset();
  EXPECT_EQ(beasts_.stuck(), ran);
}

TEST_F(GuardedServerTest, WhatIsCompressedOrTooLargeIsRefused) {
  Start(Use::kStray, {});
  const auto caller = NewCaller();
  EXPECT_EQ(Ask(caller, std::string(5 << 20, 'x')).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  Call call;
  call.context.set_deadline(WallDeadline(20s));
  call.context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  call.request.set_beast(std::string(1 << 20, 'x'));
  EXPECT_EQ(
      Galumph::NewStub(caller)->Register(&call.context, call.request, &call.response).error_code(),
      grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace radix::confab
