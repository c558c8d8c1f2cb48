// galumph's own programs: what an update promises their callers, with a client under load.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "clients/cpp/connect.h"
#include "clients/cpp/fake_node.h"
#include "galumph/v2/galumph.grpc.pb.h"

namespace radix {
namespace {

using galumph::v2::Galumph;

// A galumph in a process of its own.
class Program {
 public:
  Program(const FakeNode& node, const std::string& inst) {
    const std::string path = std::string(RADIX_BIN_DIR) + "/" + inst;
    std::vector<std::string> texts = {"RADIX_NODE=n1", "RADIX_ADDRESS=127.0.0.1",
                                      "RADIX_STATE=" + node.state().string(), "RADIX_LOG=warn"};
    std::vector<char*> environment;
    for (std::string& text : texts) environment.push_back(text.data());
    environment.push_back(nullptr);
    std::string name = inst;
    char* arguments[] = {name.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, path.c_str(), nullptr, nullptr, arguments, environment.data()), 0);
  }
  ~Program() {
    if (pid_ != 0) End(SIGKILL);
  }

  void Signal(int signal) { kill(pid_, signal); }

  // Sends a signal and waits for the end; returns the status of waitpid(2). Kills what does not
  // end.
  int End(int signal) {
    Signal(signal);
    int status = 0;
    if (!Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) {
      ADD_FAILURE() << "signal " << signal << " does not end it";
      Signal(SIGKILL);
      waitpid(pid_, &status, 0);
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
};

// Eight threads that call without pause, and what came of it.
class Load {
 public:
  explicit Load(const Network& network)
      : galumph_(Connect<Galumph>(network, {.api = "galumph2"}, {.wait = 20s})) {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Load() { Stop(); }

  void Stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  static constexpr int kThreads = 8;

  int answers(const std::string& inst) {
    const std::lock_guard lock(mutex_);
    return answers_[inst];
  }
  // How many calls failed, and the last reason.
  std::pair<int, std::string> failures() {
    const std::lock_guard lock(mutex_);
    return {failed_, reason_};
  }
  // Waits until every thread has surely made more calls to `inst`.
  bool Reaches(const std::string& inst) {
    const int before = answers(inst);
    return Eventually([&] { return answers(inst) > before + 200; });
  }

 private:
  void Run() {
    galumph::v2::RegisterRequest request;
    request.set_beast("jabberwock");
    while (!stopping_) {
      grpc::ClientContext context;
      galumph::v2::RegisterResponse reply;
      const grpc::Status status = galumph_->Register(&context, request, &reply);
      const std::lock_guard lock(mutex_);
      if (status.ok()) {
        ++answers_[reply.inst()];
      } else {
        ++failed_;
        reason_ = status.error_message();
      }
    }
  }

  const Connection<Galumph> galumph_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::map<std::string, int> answers_;
  int failed_ = 0;
  std::string reason_;
  std::vector<std::thread> threads_;
};

TEST(UpdateTest, NoCallFailsWhenANewVersionAppearsAndTheOldOneDrains) {
  const FakeNode node;
  for (int round = 0; round < 3; ++round) {
    Program three(node, "galumph2_3");
    Load load(node.network());
    ASSERT_TRUE(load.Reaches("galumph2_3"));
    Program four(node, "galumph2_4");
    ASSERT_TRUE(load.Reaches("galumph2_4"));
    const int status = three.End(SIGTERM);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    ASSERT_TRUE(load.Reaches("galumph2_4"));
    load.Stop();
    EXPECT_EQ(load.failures().first, 0) << load.failures().second;
    four.End(SIGKILL);
    ASSERT_TRUE(Eventually([&] { return node.statuses().empty(); }));
  }
}

TEST(UpdateTest, NoCallFailsWhenTheBestOneDrainsUnderLoad) {
  const FakeNode node;
  Program three(node, "galumph2_3");
  Program four(node, "galumph2_4");
  Load load(node.network());
  ASSERT_TRUE(load.Reaches("galumph2_4"));
  const int status = four.End(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  ASSERT_TRUE(load.Reaches("galumph2_3"));
  load.Stop();
  EXPECT_EQ(load.failures().first, 0) << load.failures().second;
}

TEST(GalumphTest, CountsOnlySoManyKindsAndGoesOnWithThose) {
  const FakeNode node;
  const Program program(node, "galumph2_3");
  const auto galumph = Connect<Galumph>(node.network(), {.api = "galumph2"}, {.wait = 20s});
  const auto count = [&](const std::string& beast) {
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse reply;
    request.set_beast(beast);
    const grpc::Status status = galumph->Register(&context, request, &reply);
    return std::pair{status.error_code(), reply.count()};
  };
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(count(std::to_string(i)), std::pair(grpc::StatusCode::OK, std::int64_t{1})) << i;
  }
  EXPECT_EQ(count("one more").first, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(count("0"), std::pair(grpc::StatusCode::OK, std::int64_t{2}));
}

// The control: without a drain calls are lost. Of those only what was in flight.
TEST(UpdateTest, OnlyCallsInFlightFailWhenTheBestOneIsKilled) {
  const FakeNode node;
  Program three(node, "galumph2_3");
  Program four(node, "galumph2_4");
  Load load(node.network());
  ASSERT_TRUE(load.Reaches("galumph2_4"));
  four.Signal(SIGSTOP);  // so that every thread has a call in flight
  std::this_thread::sleep_for(50ms);
  four.End(SIGKILL);
  ASSERT_TRUE(load.Reaches("galumph2_3"));
  load.Stop();
  EXPECT_GT(load.failures().first, 0) << "the control finds nothing: the tests above prove nothing";
  EXPECT_LE(load.failures().first, Load::kThreads) << load.failures().second;
}

}  // namespace
}  // namespace radix
