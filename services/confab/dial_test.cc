#include "services/confab/dial.h"

#include <gmock/gmock.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/descriptor.h"
#include "services/confab/time.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;

// A call whose end lets go of the channel, on gRPC's own thread. Without a server in the process
// there may be no other channel, and then gRPC would abort.
TEST(DialTest, AChannelMayEndInAReaction) {
  struct Call {
    std::unique_ptr<Galumph::Stub> stub;
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse response;
  };
  const Node nobody{.name = "n", .address = {}, .state = "/nonexistent/radix", .labels = {}};
  for (int i = 0; i < 20; ++i) {  // which thread is last is a race
    auto channel = DialLocal(nobody, "galumph");
    const std::weak_ptr<grpc::Channel> gone = channel;
    auto call = std::make_shared<Call>();
    call->stub = Galumph::NewStub(std::move(channel));
    std::promise<void> released;
    std::promise<grpc::StatusCode> ended;
    Call* const raw = call.get();
    raw->stub->async()->Register(
        &raw->context, &raw->request, &raw->response,
        [&, may_end = released.get_future().share(), call = std::move(call)](grpc::Status status) {
          may_end.wait_for(10s);
          ended.set_value(status.error_code());
        });
    released.set_value();
    auto end = ended.get_future();
    ASSERT_EQ(end.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(end.get(), grpc::StatusCode::UNAVAILABLE);
    const Instant limit = Now() + 10s;
    while (!gone.expired() && Now() < limit) std::this_thread::yield();
    EXPECT_TRUE(gone.expired());
  }
}

// A server that accepts, and then is too busy to say anything.
class SlowServer {
 public:
  // Listens at STATE/galumph.sock and on TCP.
  explicit SlowServer(const Node& node) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strncpy(path.sun_path, node.SocketOf("galumph").c_str(), sizeof path.sun_path - 1);
    unix_ = Listen(AF_UNIX, reinterpret_cast<const sockaddr*>(&path), sizeof path);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp_ = Listen(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    net_id_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  const std::string& net_id() const { return net_id_; }

  // Accepts two connections, and greets them when both callers have waited for 2 s. Returns whether
  // both did.
  bool GreetBoth() {
    Descriptor callers[] = {Descriptor(accept4(unix_.get(), nullptr, nullptr, SOCK_NONBLOCK)),
                            Descriptor(accept4(tcp_.get(), nullptr, nullptr, SOCK_NONBLOCK))};
    if (!callers[0] || !callers[1]) return false;
    pollfd left[] = {{callers[0].get(), POLLRDHUP, 0}, {callers[1].get(), POLLRDHUP, 0}};
    if (poll(left, 2, 2000) != 0) return false;
    grpc::ServerBuilder builder;
    builder.RegisterService(&beasts_);
    server_ = builder.BuildAndStart();
    for (Descriptor& each : callers) {
      grpc::AddInsecureChannelFromFd(server_.get(), dup(each.get()));  // which takes it
    }
    return true;
  }

 private:
  class Beasts final : public Galumph::Service {
    grpc::Status Register(grpc::ServerContext*, const galumph::v2::RegisterRequest*,
                          galumph::v2::RegisterResponse*) override {
      return grpc::Status::OK;
    }
  };

  static Descriptor Listen(int family, const sockaddr* address, socklen_t size) {
    Descriptor listener(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(listener.get(), address, size), 0) << std::strerror(errno);
    EXPECT_EQ(listen(listener.get(), 8), 0) << std::strerror(errno);
    return listener;
  }

  Descriptor unix_;
  Descriptor tcp_;
  std::string net_id_;
  Beasts beasts_;
  std::unique_ptr<grpc::Server> server_;
};

// On a machine whose processors all have work, a living server may need seconds to greet. An
// attempt to connect that gives up before fails every call that waits for it, UNAVAILABLE.
TEST(DialTest, ACallWaitsForAServerThatIsSlowToGreet) {
  std::string folder = testing::TempDir() + "/dialXXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const Node here{.name = "n", .address = {}, .state = folder, .labels = {}};
  SlowServer server(here);
  const auto ask = [](std::shared_ptr<grpc::Channel> channel) {
    return std::async(std::launch::async, [channel = std::move(channel)] {
      grpc::ClientContext context;
      context.set_deadline(WallNow() + 30s);
      galumph::v2::RegisterResponse reply;
      return Galumph::NewStub(channel)->Register(&context, {}, &reply);
    });
  };
  auto local = ask(DialLocal(here, "galumph"));
  auto remote = ask(*Dial(Node{}, server.net_id(), "beasts"));
  EXPECT_TRUE(server.GreetBoth()) << "a caller gave up";
  EXPECT_EQ(local.get().error_message(), "");
  EXPECT_EQ(remote.get().error_message(), "");
  std::filesystem::remove_all(folder);
}

TEST(DialTest, RefusesWhatIsNoLoopbackAddress) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Dial(Node{}, "192.0.2.1:80", "beasts").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Dial(Node{}, "[2001:db8::1]:80", "beasts").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Dial(Node{}, "localhost:80", "beasts").status()));
  EXPECT_TRUE(Dial(Node{}, "127.0.0.2:80", "beasts").ok());
  EXPECT_TRUE(Dial(Node{}, "[::1]:80", "beasts").ok());
}

}  // namespace
}  // namespace radix::confab
