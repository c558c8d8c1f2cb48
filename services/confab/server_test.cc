// Servers, channels, streams and the count of calls, over real sockets.

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "galumph/v2/galumph.grpc.pb.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "services/confab/call_counter.h"
#include "services/confab/clock.h"
#include "services/confab/descriptor.h"
#include "services/confab/dial.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;
using heartbeater::v1::BeatRequest;
using heartbeater::v1::BeatResponse;
using heartbeater::v1::HeartbeaterService;
using testing::HasSubstr;

class Beasts final : public Galumph::CallbackService {
 public:
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const galumph::v2::RegisterRequest*,
                                     galumph::v2::RegisterResponse*) override {
    auto* reactor = context->DefaultReactor();
    if (unfinished != nullptr) {
      unfinished->set_value(reactor);
    } else {
      reactor->Finish(grpc::Status::OK);
    }
    return reactor;
  }
  // When it is set, a call (one, at most) is not finished but left here.
  std::promise<grpc::ServerUnaryReactor*>* unfinished = nullptr;
};

// Answers each beat with its number; ends the stream after the third.
class Counting final : public HeartbeaterService::CallbackService {
 public:
  grpc::ServerBidiReactor<BeatRequest, BeatResponse>* Beat(grpc::CallbackServerContext*) override {
    auto stream = ServerBidi<BeatRequest, BeatResponse>::Create(4);
    auto count = std::make_shared<int>(0);
    stream->Begin({.on_message =
                       [stream = stream.get(), count, this](const BeatRequest&) {
                         BeatResponse response;
                         response.set_revision(++*count);
                         stream->Send(response);
                         if (*count == 3) stream->End(grpc::Status::OK);
                         messages = *count;
                       },
                   .on_half_close = nullptr,
                   .on_done = [this] { ++done; }});
    return stream.get();
  }
  grpc::ServerWriteReactor<heartbeater::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext*, const heartbeater::v1::WatchRequest*) override {
    auto stream = ServerStream<heartbeater::v1::WatchResponse>::Create(2);
    stream->Begin([this] { ++done; });
    // One is being written; two wait; there is no room for more.
    for (int i = 0; i < 4; ++i) accepted += stream->Send({}) ? 1 : 0;
    stream->End(grpc::Status::OK);
    stream->End(grpc::Status::CANCELLED);  // too late
    return stream.get();
  }
  std::atomic<int> messages = 0;
  std::atomic<int> accepted = 0;
  std::atomic<int> done = 0;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::string folder = testing::TempDir() + "/serverXXXXXX";
    if (mkdtemp(folder.data()) == nullptr) std::abort();
    node_ = {.name = "n1", .address = *IpAddress::Parse("127.0.0.1"), .state = folder};
  }
  ~ServerTest() override { std::filesystem::remove_all(node_.state); }

  absl::StatusOr<std::unique_ptr<Server>> Start(const ListenOptions& options) {
    return Server::Start(node_, options, {Hosted(beasts_)});
  }
  static grpc::StatusCode Ask(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    galumph::v2::RegisterResponse reply;
    return Galumph::NewStub(channel)->Register(&context, {}, &reply).error_code();
  }
  std::string Refusal(const ListenOptions& options) {
    const auto server = Start(options);
    EXPECT_FALSE(server.ok());
    return std::string(server.status().message());
  }

  Node node_;
  Beasts beasts_;
};

TEST_F(ServerTest, ServesOnASocketAndOnTcp) {
  auto server = Start({.socket = "galumph", .port = 0});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(Ask(DialLocal(node_, "galumph")), grpc::StatusCode::OK);
  EXPECT_EQ(Ask(*Dial(Node{}, (*server)->net_id(), "beasts")), grpc::StatusCode::OK);
}

// It went deaf for good when it had as many files open as it may.
TEST_F(ServerTest, OutlastsMoreConnectionsThanTheLimitOfOpenFilesAtItsStart) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_GE(before.rlim_max, 1024U);
  const rlimit few{.rlim_cur = 128, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto server = Start({.socket = "galumph"});
  ASSERT_TRUE(server.ok()) << server.status();
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = node_.SocketOf("galumph").string();
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  std::vector<Descriptor> idle;
  for (int i = 0; i < 200; ++i) {
    idle.emplace_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!idle.back()) break;  // before the server: this process is its client, too
    EXPECT_EQ(connect(idle.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_EQ(Ask(DialLocal(node_, "galumph")), grpc::StatusCode::OK);
  EXPECT_EQ(idle.size(), 200U);
  idle.clear();
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ServerTest, NamesWhatIsInTheWayOfItsSocket) {
  std::filesystem::create_directory(node_.SocketOf("galumph"));
  EXPECT_THAT(Refusal({.socket = "galumph", .port = 0}),
              HasSubstr("galumph.sock: cannot be removed"));
}

TEST_F(ServerTest, RefusesAPlaceThatIsTaken) {
  const auto first = Start({.socket = "galumph", .port = 0});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(Refusal({.socket = "galumph", .port = std::nullopt}), HasSubstr("galumph.lock"));
  const auto taken = Endpoint::Parse((*first)->net_id());
  EXPECT_THAT(Refusal({.socket = "", .port = taken->port}), HasSubstr((*first)->net_id()));
  EXPECT_EQ(Ask(DialLocal(node_, "galumph")), grpc::StatusCode::OK) << "the first was disturbed";
}

TEST_F(ServerTest, TakesOverTheSocketOfOneThatDied) {
  std::ofstream(node_.SocketOf("galumph")) << "left behind";
  const auto server = Start({.socket = "galumph", .port = std::nullopt});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(Ask(DialLocal(node_, "galumph")), grpc::StatusCode::OK);
}

TEST_F(ServerTest, RefusesAStateFolderThatOthersMayEnter) {
  ASSERT_EQ(chmod(node_.state.c_str(), 0750), 0);
  EXPECT_THAT(Refusal({.socket = "galumph", .port = std::nullopt}), HasSubstr("0700"));
}

TEST_F(ServerTest, RefusesAPathThatIsTooLongAndAnAddressThatIsNotLoopback) {
  EXPECT_THAT(Refusal({.socket = std::string(108, 'g'), .port = std::nullopt}), HasSubstr("107"));
  node_.address = *IpAddress::Parse("192.0.2.1");
  EXPECT_THAT(Refusal({.socket = "", .port = 0}), HasSubstr("192.0.2.1"));
  EXPECT_EQ(Dial(Node{}, "192.0.2.1:80", "beasts").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Dial(Node{}, "localhost:80", "beasts").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, ShutdownGivesUpOnACallThatDoesNotFinishAndIsDoneOnceItHas) {
  std::promise<grpc::ServerUnaryReactor*> unfinished;
  beasts_.unfinished = &unfinished;
  auto server = Start({.socket = "", .port = 0});
  ASSERT_TRUE(server.ok()) << server.status();
  auto answer = std::async(std::launch::async, Ask, *Dial(Node{}, (*server)->net_id(), "beasts"));
  auto arrived = unfinished.get_future();
  ASSERT_EQ(arrived.wait_for(30s), std::future_status::ready);
  EXPECT_FALSE((*server)->Shutdown(0s));
  EXPECT_NE(answer.get(), grpc::StatusCode::OK);
  // Left alone it would keep itself for ever: a leak, as the sanitizer sees in one run of twenty.
  arrived.get()->Finish(grpc::Status::OK);
  EXPECT_TRUE((*server)->Shutdown(30s));
}

TEST_F(ServerTest, DialNowhereFailsAtOnce) {
  EXPECT_EQ(Ask(DialNowhere({grpc::StatusCode::NOT_FOUND, "none"})), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, StreamsAreBoundedAndEndOnce) {
  Counting counting;
  auto server =
      Server::Start(node_, {.socket = "heartbeater", .port = std::nullopt}, {Hosted(counting)});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = HeartbeaterService::NewStub(DialLocal(node_, "heartbeater"));
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    auto watch = stub->Watch(&context, {});
    heartbeater::v1::WatchResponse response;
    int read = 0;
    while (watch->Read(&response)) ++read;
    EXPECT_TRUE(watch->Finish().ok());
    EXPECT_EQ(read, 3);
    EXPECT_EQ(counting.accepted, 3);
  }
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    auto beat = stub->Beat(&context);
    for (int i = 0; i < 10 && beat->Write({}); ++i) continue;
    BeatResponse response;
    std::int64_t last = 0;
    while (beat->Read(&response)) last = response.revision();
    EXPECT_TRUE(beat->Finish().ok());
    EXPECT_EQ(last, 3);
  }
  EXPECT_TRUE((*server)->Shutdown(1s));
  EXPECT_EQ(counting.done, 2);
  EXPECT_EQ(counting.messages, 3) << "a stream that has ended was still served";
}

TEST(CallCounterTest, IsQuietOnlyAfterTheLastCall) {
  CallCounter counter;
  EXPECT_TRUE(counter.AwaitQuiet(1ms, 20s));
  counter.Begin();
  EXPECT_FALSE(counter.AwaitQuiet(1ms, 10ms)) << "a call is in flight";
  auto quiet = std::async(std::launch::async, [&] { return counter.AwaitQuiet(1ms, 20s); });
  counter.End();
  EXPECT_TRUE(quiet.get());
}

TEST(CallCounterTest, IsNotQuietWhileCallsKeepComing) {
  CallCounter counter;
  std::atomic<bool> stopping = false;
  std::thread caller([&] {
    while (!stopping) {
      counter.Begin();
      counter.End();
    }
  });
  EXPECT_FALSE(counter.AwaitQuiet(10s, 50ms));
  stopping = true;
  caller.join();
}

}  // namespace
}  // namespace radix::confab
