#include "clients/cli/node_process.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "services/confab/clock.h"
#include "services/confab/process_stat.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

// A node whose fulcrum, and what that one started, are shells.
class NodeProcessTest : public testing::Test {
 protected:
  NodeProcessTest() {
    std::string pattern = (fs::temp_directory_path() / "radix-XXXXXX").string();
    node_.state = mkdtemp(pattern.data());
  }
  ~NodeProcessTest() override {
    for (const pid_t pid : pids_) kill(pid, SIGKILL);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
    fs::remove_all(node_.state);
  }

  // Runs `script`, which must create the file $READY, and waits until it has.
  pid_t Run(const std::string& name, const std::string& script,
            std::vector<std::string> variables) {
    const fs::path ready = node_.state / (name + ".ready");
    variables.push_back("READY=" + ready.string());
    variables.emplace_back("PATH=/usr/bin:/bin");
    std::vector<std::string> line = {name, "-c", script, name, "--state", node_.state.string()};
    std::vector<char*> argv;
    for (std::string& each : line) argv.push_back(each.data());
    argv.push_back(nullptr);
    std::vector<char*> env;
    for (std::string& each : variables) env.push_back(each.data());
    env.push_back(nullptr);
    pid_t pid = 0;
    if (posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv.data(), env.data()) != 0) return 0;
    pids_.push_back(pid);
    const Instant end = confab::Now() + 20s;
    while (!fs::exists(ready) && confab::Now() < end) usleep(10'000);
    EXPECT_TRUE(fs::exists(ready));
    return pid;
  }

  void WritePid(pid_t pid) {
    const auto stat = confab::ReadProcessStat(pid);
    ASSERT_TRUE(stat);
    std::ofstream(node_.state / "pid") << pid << ' ' << stat->start_ticks << '\n';
  }

  LabNode node_{.name = "n1"};
  std::vector<pid_t> pids_;
};

TEST_F(NodeProcessTest, AStoppedFulcrumIsEndedAsAnyOther) {
  const pid_t pid =
      Run("fulcrum", "trap 'exit 7' TERM; : > $READY; while :; do sleep 0.05; done", {});
  WritePid(pid);
  ASSERT_TRUE(RunningNode(node_));
  kill(pid, SIGSTOP);
  int how = 0;
  waitpid(pid, &how, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(how));
  EXPECT_TRUE(EndNodes({node_}, SIGTERM, 10s).ok());
  ASSERT_EQ(waitpid(pid, &how, 0), pid);
  EXPECT_TRUE(WIFEXITED(how)) << "it was killed, without a chance to drain";
  pids_.clear();
}

// Whoever started it was killed before NODE/pid was written.
TEST_F(NodeProcessTest, AFulcrumThatNoFileNamesDrainsAsAnyOther) {
  const pid_t pid =
      Run("fulcrum", "trap 'exit 7' TERM; : > $READY; while :; do sleep 0.05; done", {});
  ASSERT_FALSE(fs::exists(node_.state / "pid"));
  EXPECT_TRUE(EndNodes({node_}, SIGTERM, 10s).ok());
  int how = 0;
  ASSERT_EQ(waitpid(pid, &how, 0), pid);
  EXPECT_TRUE(WIFEXITED(how)) << "it was killed, without a chance to drain";
  pids_.clear();
}

// The disk was full when the file was to be written.
TEST_F(NodeProcessTest, AFulcrumWhoseFileIsEmptyIsSeenToRun) {
  std::ofstream(node_.state / "pid").close();
  EXPECT_FALSE(RunningNode(node_));
  const pid_t pid = Run("fulcrum", ": > $READY; while :; do sleep 0.05; done", {});
  const auto running = RunningNode(node_);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->pid, pid);
}

TEST_F(NodeProcessTest, WhatAPluginStartedGoesWithItsKilledNodeAtOnce) {
  WritePid(Run("fulcrum", ": > $READY; exec sleep 1000", {}));
  Run("stray", ": > $READY; exec sleep 1000",
      {"RADIX_SUPERVISOR_PID=1", "RADIX_SUPERVISOR_STATE=" + node_.state.string()});
  const Instant start = confab::Now();
  EXPECT_TRUE(EndNodes({node_}, SIGKILL, 1h).ok());
  EXPECT_LT(confab::Now() - start, 30min) << "it waited for its limit";
}

}  // namespace
}  // namespace radix::cli
