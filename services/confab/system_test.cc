// The parts of confab's shell that touch the system: arguments, environment, lock files, timers and
// the link to the supervisor.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include "services/confab/clock.h"
#include "services/confab/lock_file.h"
#include "services/confab/node.h"
#include "services/confab/parent.h"
#include "services/confab/timer_thread.h"

namespace radix::confab {
namespace {

using testing::HasSubstr;

class Folder {
 public:
  Folder() {
    std::string path = testing::TempDir() + "/systemXXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

absl::StatusOr<ServiceArguments> ParseLine(const std::vector<std::string>& line) {
  std::vector<const char*> arguments = {"reeve"};
  for (const std::string& each : line) arguments.push_back(each.c_str());
  return ParseServiceArguments(static_cast<int>(arguments.size()), arguments.data());
}

TEST(NodeTest, ReadsTheCommandLineThatItWrites) {
  const Folder folder;
  std::ofstream(folder / "charter.yaml")
      << "bloc: lab\nranges: [127.88.0.0/29]\nport: 7117\nkey_file: key\n";
  ServiceArguments arguments;
  arguments.charter_path = folder / "charter.yaml";
  arguments.node = {.name = "n2",
                    .address = *IpAddress::Parse("127.88.0.2"),
                    .state = folder / "n2",
                    .labels = {"gpu", "rack=7", "--epoch", "-x=[1,2]"}};
  arguments.epoch = 12;
  const auto read = ParseLine(ToCommandLine(arguments));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->node.name, "n2");
  EXPECT_EQ(read->node.address, arguments.node.address);
  EXPECT_EQ(read->node.state, arguments.node.state);
  EXPECT_EQ(read->node.labels, arguments.node.labels);
  EXPECT_EQ(read->epoch, 12u);
  EXPECT_EQ(read->charter.bloc, "lab");
  EXPECT_EQ(read->node.flock_id, "lab");
}

TEST(NodeTest, RefusesBadArgumentsByName) {
  const auto message = [](const std::string& name, const std::string& address,
                          const std::string& label) {
    return std::string(ParseLine({"--charter", "c", "--name", name, "--address", address, "--state",
                                  "s", "--label", label})
                           .status()
                           .message());
  };
  EXPECT_THAT(message("N", "127.0.0.1", "l"), HasSubstr("--name"));
  EXPECT_THAT(message("n", "127.0.0", "l"), HasSubstr("--address"));
  EXPECT_THAT(message("n", "127.0.0.1", "a b"), HasSubstr("--label"));
  EXPECT_THAT(std::string(ParseLine({}).status().message()), HasSubstr("--charter"));
}

TEST(NodeTest, ReadsTheEnvironmentOfAPlugin) {
  setenv("RADIX_NODE", "n1", 1);
  setenv("RADIX_ADDRESS", "127.0.0.1", 1);
  unsetenv("RADIX_STATE");
  EXPECT_THAT(std::string(NodeFromEnvironment().status().message()), HasSubstr("RADIX_STATE"));
  setenv("RADIX_STATE", "/s", 1);
  EXPECT_EQ(NodeFromEnvironment()->SocketOf("reeve"), "/s/reeve.sock");
  EXPECT_EQ(NodeFromEnvironment()->flock_id, "") << "run by hand, it need not know";
  setenv("RADIX_FLOCK", "lab", 1);
  EXPECT_EQ(NodeFromEnvironment()->flock_id, "lab");
  setenv("RADIX_FLOCK", "The lab", 1);
  EXPECT_THAT(std::string(NodeFromEnvironment().status().message()), HasSubstr("RADIX_FLOCK"));
  unsetenv("RADIX_FLOCK");
  setenv("RADIX_NODE", "N 1", 1);
  EXPECT_THAT(std::string(NodeFromEnvironment().status().message()), HasSubstr("RADIX_NODE"));
}

TEST(LockFileTest, HasOneHolderAtATime) {
  const Folder folder;
  auto first = LockFile::Take(folder / "lock");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(LockFile::Take(folder / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  LockFile moved = *std::move(first);
  EXPECT_EQ(LockFile::Take(folder / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  { const LockFile ended = std::move(moved); }
  EXPECT_TRUE(LockFile::Take(folder / "lock").ok());
}

TEST(LockFileTest, SaysWhyItCannotBeTaken) {
  const Folder folder;
  EXPECT_THAT(std::string(LockFile::Take(folder / "none" / "lock").status().message()),
              HasSubstr("No such file"));
}

// Waits until `condition` holds; false when it does not within 20 s.
bool Eventually(const std::function<bool()>& condition) {
  const Instant limit = Now() + 20s;
  while (!condition() && Now() < limit) usleep(1000);
  return condition();
}

TEST(TimerThreadTest, TicksAtOnceAndWhenTheTimeHasCome) {
  std::atomic<int> ticks = 0;
  std::atomic<bool> early = false;
  Instant due{};
  const TimerThread timer([&](Instant now) {
    if (now < due) early = true;
    due = now + 3ms;
    ++ticks;
    return due;
  });
  EXPECT_TRUE(Eventually([&] { return ticks >= 5; }));
  EXPECT_FALSE(early);
}

TEST(TimerThreadTest, IsWokenAlsoFromWithinATick) {
  std::atomic<int> ticks = 0;
  std::atomic<TimerThread*> self = nullptr;
  TimerThread timer([&](Instant) {
    if (++ticks == 2) self.load()->Wake();
    return Instant::max();
  });
  self = &timer;
  ASSERT_TRUE(Eventually([&] { return ticks == 1; }));
  timer.Wake();
  EXPECT_TRUE(Eventually([&] { return ticks == 3; }));
}

TEST(TimerThreadTest, SaysThatItTookATurn) {
  std::atomic<int> ticks = 0;
  std::atomic<int> seen = 0;
  TimerThread timer([&](Instant) {
    ++ticks;
    return Instant::max();
  });
  ASSERT_TRUE(Eventually([&] { return ticks == 1; }));
  timer.AfterTurn([&] { seen = ticks.load(); });
  EXPECT_TRUE(Eventually([&] { return seen != 0; }));
  EXPECT_EQ(seen, 2);
}

TEST(TimerThreadTest, SaysNothingOfATurnThatDoesNotEnd) {
  std::mutex stuck;
  std::unique_lock held(stuck);
  std::atomic<bool> ticking = false;
  std::atomic<bool> said = false;
  TimerThread timer([&](Instant) {
    ticking = true;
    const std::lock_guard lock(stuck);
    return Instant::max();
  });
  ASSERT_TRUE(Eventually([&] { return ticking.load(); }));
  timer.AfterTurn([&] { said = true; });
  EXPECT_FALSE(said);
  held.unlock();
  EXPECT_TRUE(Eventually([&] { return said.load(); }));
}

class LinkTest : public testing::Test {
 protected:
  LinkTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_), 0); }
  ~LinkTest() override {
    close(ends_[0]);
    if (ends_[1] >= 0) close(ends_[1]);
  }
  int ends_[2] = {-1, -1};
};

TEST_F(LinkTest, CarriesMessagesAndDescriptors) {
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  ASSERT_TRUE(SendMessage(ends_[0], {{"ready", true}}).ok());
  ASSERT_TRUE(SendMessage(ends_[0], {{"spawned", 7}}, pipe_ends[1]).ok());
  close(pipe_ends[1]);
  const auto first = ReceiveMessage(ends_[1]);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->body.dump(), R"({"ready":true})");
  EXPECT_EQ(first->fd, -1);
  const auto second = ReceiveMessage(ends_[1]);
  ASSERT_TRUE(second.ok());
  ASSERT_GE(second->fd, 0);
  EXPECT_NE(fcntl(second->fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(write(second->fd, "x", 1), 1);
  close(second->fd);
  char byte = 0;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
  close(pipe_ends[0]);
}

TEST_F(LinkTest, SaysThatItIsAliveOnlyOnceToWhoDoesNotListen) {
  setenv("RADIX_SUPERVISOR_FD", std::to_string(ends_[0]).c_str(), 1);
  for (int i = 0; i < 1000; ++i) NotifyAlive();
  const auto first = ReceiveMessage(ends_[1]);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->body.dump(), R"({"alive":true})");
  char byte = 0;
  EXPECT_EQ(recv(ends_[1], &byte, 1, MSG_DONTWAIT), -1);
  NotifyAlive();
  EXPECT_TRUE(ReceiveMessage(ends_[1]).ok());
  unsetenv("RADIX_SUPERVISOR_FD");
}

TEST_F(LinkTest, SurvivesWhatIsNoJson) {
  ASSERT_EQ(send(ends_[0], "{", 1, 0), 1);
  ASSERT_EQ(send(ends_[0], "[1]", 3, 0), 3);
  EXPECT_EQ(ReceiveMessage(ends_[1]).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReceiveMessage(ends_[1]).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(SendMessage(ends_[0], {{"inst", "\xff"}}).ok()) << "bytes that are no UTF-8";
  EXPECT_TRUE(ReceiveMessage(ends_[1]).ok());
}

TEST_F(LinkTest, SaysThatAMessageIsTooLongOrTheOtherEndGone) {
  EXPECT_EQ(SendMessage(ends_[0], {{"m", std::string(kSupervisorMessageBytesMax, 'x')}}).code(),
            absl::StatusCode::kInvalidArgument);
  close(ends_[1]);
  ends_[1] = -1;
  EXPECT_EQ(SendMessage(ends_[0], {{"m", 1}}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReceiveMessage(ends_[0]).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace radix::confab
