#include "services/confab/unix_acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <mutex>
#include <vector>

#include "services/confab/accept_loop.h"
#include "services/confab/time.h"
#include "tests/wait.h"

namespace radix::confab {
namespace {

class UnixAcceptorTest : public testing::Test {
 protected:
  void SetUp() override {
    AcceptLoop::Get();  // which has one for as long as the process lives
    descriptors_ = CountDescriptors();
    std::string folder = testing::TempDir() + "unixXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    path_ = std::filesystem::path(folder) / "a.sock";
  }
  void TearDown() override {
    acceptor_.reset();
    std::filesystem::remove_all(path_.parent_path());
    handed_.clear();
    EXPECT_TRUE(Eventually([&] { return CountDescriptors() == descriptors_; }));
  }

  static std::ptrdiff_t CountDescriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(std::filesystem::begin(all), std::filesystem::end(all));
  }

  void Begin(std::size_t connections_max) {
    auto acceptor = UnixAcceptor::Listen(path_, connections_max, std::nullopt);
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    acceptor_->Begin([this](int, int connection) {
      const std::lock_guard lock(mutex_);
      handed_.emplace_back(connection);
    });
  }
  std::size_t handed() {
    const std::lock_guard lock(mutex_);
    return handed_.size();
  }
  void EndHanded() {
    const std::lock_guard lock(mutex_);
    for (const Descriptor& each : handed_) shutdown(each.get(), SHUT_RDWR);  // as gRPC does
    handed_.clear();
  }

  Descriptor Connect() const {
    Descriptor caller(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    if (connect(caller.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return {};
    return caller;
  }
  // Whether the other side ends it within that time.
  static bool IsEnded(const Descriptor& caller, Duration limit) {
    pollfd wait{.fd = caller.get(), .events = POLLRDHUP, .revents = 0};
    return poll(&wait, 1, static_cast<int>(limit / 1ms)) == 1;
  }

  std::ptrdiff_t descriptors_ = 0;  // before the test
  std::filesystem::path path_;
  std::unique_ptr<UnixAcceptor> acceptor_;
  std::mutex mutex_;
  std::vector<Descriptor> handed_;
};

TEST_F(UnixAcceptorTest, HandsOnWhoeverConnectsAsManyAsMay) {
  Begin(2);
  const Descriptor first = Connect();
  const Descriptor second = Connect();
  EXPECT_TRUE(Eventually([&] { return handed() == 2; }));
  const Descriptor third = Connect();
  EXPECT_TRUE(IsEnded(third, 5s)) << "there are two already";
  EXPECT_FALSE(IsEnded(first, 50ms));
  EndHanded();
  EXPECT_TRUE(Eventually([&] {
    const Descriptor next = Connect();
    return !IsEnded(next, 50ms);
  })) << "they have ended";
}

TEST_F(UnixAcceptorTest, WhoLeavesMakesRoom) {
  Begin(1);
  for (std::size_t i = 1; i <= 3; ++i) {
    const std::size_t before = handed();
    EXPECT_TRUE(Eventually([&] {
      const Descriptor caller = Connect();
      return IsEnded(caller, 50ms) ? false : handed() > before;
    })) << i;
    EndHanded();
  }
}

TEST_F(UnixAcceptorTest, WithoutDescriptorsItIsDeafOnlyForAWhile) {
  Begin(16);
  Descriptor caller(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<Descriptor> all;
  while (all.empty() || all.back()) all.emplace_back(dup(0));
  all.pop_back();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  EXPECT_EQ(connect(caller.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(IsEnded(caller, 300ms));
  EXPECT_EQ(handed(), 0U);
  all.clear();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(Eventually([&] { return handed() == 1; }));
}

TEST_F(UnixAcceptorTest, NobodyElseMayConnectAndNothingIsLeftBehind) {
  Begin(1);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  acceptor_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(Connect());
}

TEST_F(UnixAcceptorTest, TakesThePlaceOfASocketThatWasLeftBehindAndNamesWhatIsNone) {
  Begin(1);
  const auto other = UnixAcceptor::Listen(path_, 1, std::nullopt);
  EXPECT_TRUE(other.ok()) << "its caller has to know";
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  const auto refused = UnixAcceptor::Listen(path_, 1, std::nullopt);
  EXPECT_THAT(std::string(refused.status().message()),
              testing::HasSubstr("a.sock: cannot be removed"));
}

}  // namespace
}  // namespace radix::confab
