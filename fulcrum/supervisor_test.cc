// Real processes under a real supervisor, with the real picket; see fake_node_test.h.

#include "fulcrum/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fulcrum/fake_node_test.h"

namespace radix::fulcrum {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SupervisorTest : public testing::Test {
 protected:
  FakeNode node_;
};

TEST_F(SupervisorTest, BringsUpEverythingInOrderAndTakesItDownInOrder) {
  node_.Start();
  for (const char* service : {"flock", "heartbeater", "reeve", "picket", "dean"}) {
    EXPECT_TRUE(Eventually([&] { return node_.Find(service) != 0; })) << service;
    EXPECT_EQ(ParentOf(node_.Find(service)), node_.pid()) << service;
  }
  EXPECT_EQ(node_.Find("steward"), 0);
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Processes(), IsEmpty());
  const std::string log = node_.Log("fulcrum");
  std::size_t place = 0;
  for (const char* line :
       {"step 1 of 5: starting flock", "flock: serves", "step 2", "heartbeater: serves", "step 3",
        "reeve: serves", "step 4", "picket: serves", "step 5", "dean: process",
        "picket: as asked, ended with status 0", "reeve: as asked, ended with status 0",
        "heartbeater: as asked, ended with status 0", "flock: as asked, ended with status 0",
        "down"}) {
    place = log.find(line, place);
    ASSERT_NE(place, std::string::npos) << line << " does not follow in:\n" << log;
  }
}

TEST_F(SupervisorTest, NothingOutlivesAKilledSupervisorNotEvenWhatIsStopped) {
  const std::string sleeper = node_.Script("sleeper", "exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("sleeper", sleeper).ok());
  // This one is not stopped: the kernel hangs up on stopped groups that are orphaned.
  ASSERT_TRUE(node_.StartPlugin("runner", "/bin/sleep", {"1000"}).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  kill(node_.Find("reeve"), SIGSTOP);
  // Before it is the program, stopping it would keep it from tying itself to its parent; and a
  // process in the middle of its exec shows neither arguments nor environment to be counted by.
  const pid_t sleeping = node_.Plugin("sleeper").pid();
  const pid_t running = node_.Plugin("runner").pid();
  ASSERT_TRUE(Eventually([&] {
    return CommandLineOf(sleeping).starts_with("sleep") &&
           CommandLineOf(running).starts_with("/bin/sleep");
  }));
  kill(sleeping, SIGSTOP);
  ASSERT_GE(node_.Processes().size(), 7U);
  node_.End(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return node_.Processes().empty(); }));
}

TEST_F(SupervisorTest, StartsAServiceThatCrashedAgainAndSaysWhy) {
  node_.Have("reeve", "crash");
  node_.Start();
  EXPECT_TRUE(
      Eventually([&] { return node_.Log("fulcrum").find("CRASH LOOP") != std::string::npos; }));
  EXPECT_THAT(node_.Log("fulcrum"),
              HasSubstr("reeve: ended with status 3 (its last words: reeve is here)"));
  node_.Have("reeve", "");
  EXPECT_TRUE(
      Eventually([&] { return node_.Log("fulcrum").find("reeve: serves") != std::string::npos; }));
}

TEST_F(SupervisorTest, ReplacesWhatHangsItsOwnAndPicketsToo) {
  node_.Start();
  ASSERT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  const pid_t flock = node_.Find("flock");
  const pid_t reeve = node_.Find("reeve");
  const pid_t dean = node_.Find("dean");
  for (const pid_t pid : {reeve, dean}) kill(pid, SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return IsGone(reeve) && IsGone(dean); }, 90s));
  EXPECT_TRUE(Eventually([&] { return node_.Find("reeve") != 0 && node_.Find("dean") != 0; }));
  EXPECT_THAT(node_.Log("fulcrum"),
              HasSubstr("reeve: process " + std::to_string(reeve) + " hangs"));
  EXPECT_THAT(node_.Log("fulcrum"), HasSubstr("dean: process " + std::to_string(dean) + " hangs"));
  EXPECT_EQ(node_.Find("flock"), flock);
  EXPECT_EQ(node_.Plugin("dean").restart_count(), 1);
}

std::string MemoryLimitOf(pid_t pid) {
  std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
  for (std::string line; std::getline(limits, line);) {
    if (line.starts_with("Max data size")) return line.substr(26, line.find(' ', 26) - 26);
  }
  return "";
}

TEST_F(SupervisorTest, AServiceThatTakesTooMuchMemoryIsStartedAgainAndNobodyElseIs) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's memory has no limit";
#endif
  node_.Start();
  ASSERT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  const pid_t flock = node_.Find("flock");
  const pid_t dean = node_.Find("dean");
  const pid_t reeve = node_.Find("reeve");
  node_.Have("reeve", "greedy");
  kill(reeve, SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    return node_.Log("fulcrum").find(
               "reeve: ended with status 1 (its last words: there is no more "
               "memory for this process)") != std::string::npos;
  }));
  node_.Have("reeve", "");
  EXPECT_TRUE(Eventually([&] { return node_.Find("reeve") != 0 && node_.Find("reeve") != reeve; }));
  EXPECT_EQ(node_.Find("flock"), flock);
  EXPECT_EQ(node_.Find("dean"), dean);
}

TEST_F(SupervisorTest, OnlyItsOwnServicesHaveALimitOfMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's memory has no limit";
#endif
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("program", "/bin/sleep", {"1000"}).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  for (const char* service : {"flock", "heartbeater", "reeve", "picket", "dean"}) {
    const std::string limit = MemoryLimitOf(node_.Find(service));
    EXPECT_GT(std::strtoull(limit.c_str(), nullptr, 10), 200U << 20) << service;
    EXPECT_LT(std::strtoull(limit.c_str(), nullptr, 10), 1024U << 20) << service;
  }
  for (const pid_t pid : {node_.pid(), node_.Plugin("program").pid()}) {
    EXPECT_EQ(MemoryLimitOf(pid), MemoryLimitOf(getpid()));
  }
}

TEST_F(SupervisorTest, ChildrenHaveNoDescriptorsButTheirOwn) {
  const std::string sleeper = node_.Script("sleeper", "exec sleep 1000");
  node_.Start();
  // Stand-ins open one descriptor themselves: their inbox.
  for (const char* service : {"flock", "heartbeater"}) {
    EXPECT_THAT(DescriptorsOf(node_.Find(service)), ElementsAre(0, 1, 2, 3, 4)) << service;
  }
  ASSERT_TRUE(node_.StartPlugin("program", "/bin/sleep", {"1000"}).ok());
  const pid_t program = node_.Plugin("program").pid();
  ASSERT_TRUE(Eventually([&] { return DescriptorsOf(program).size() == 3; }));
  EXPECT_THAT(DescriptorsOf(program), ElementsAre(0, 1, 2));
  EXPECT_EQ(node_.End(SIGTERM), 0);
}

TEST_F(SupervisorTest, LeadershipStartsAndEndsStewardAndProctor) {
  node_.Start();
  node_.Say(R"({"lead":7})");
  ASSERT_TRUE(Eventually([&] { return node_.Find("steward") != 0 && node_.Find("proctor") != 0; }));
  const pid_t first = node_.Find("steward");
  node_.Say(R"({"lead":8})");
  EXPECT_TRUE(Eventually([&] {
    const pid_t now = node_.Find("steward");
    return now != 0 && now != first;
  }));
  EXPECT_TRUE(IsGone(first));
  EXPECT_TRUE(Eventually([&] {
    const auto args = node_.Plugin("proctor").spec().args();
    return args.size() == 2 && args[1] == "8" && node_.Plugin("proctor").pid() != 0;
  }));
  node_.Say(R"({"follow":true})");
  EXPECT_TRUE(Eventually([&] { return node_.Find("steward") == 0 && node_.Find("proctor") == 0; }));
  EXPECT_NE(node_.Find("dean"), 0);
}

TEST_F(SupervisorTest, TheEndOfFlockEndsItsLeadership) {
  node_.Start();
  node_.Say(R"({"lead":7})");
  ASSERT_TRUE(Eventually([&] { return node_.Find("steward") != 0; }));
  kill(node_.Find("flock"), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return node_.Find("steward") == 0 && node_.Find("flock") != 0; }));
}

TEST_F(SupervisorTest, MessagesThatMakeNoSenseHurtNobody) {
  node_.Start();
  for (const char* junk :
       {"", "x", "[]", "{}", R"({"lead":"x"})", R"({"lead":-1})", R"({"lead":0})",
        R"({"spawn":{"id":"x","argv":["x"],"env":[],"tag":""}})", R"({"kill":{"id":"dean"}})",
        R"({"unheard-of":1})", R"({"lead":1,"follow":true})", "\xff\xfe\x00"}) {
    if (*junk != '\0') node_.Say(junk);
  }
  node_.Say(std::string(65000, '['));
  node_.Say(R"({"lead":7})");
  EXPECT_TRUE(Eventually([&] { return node_.Find("steward") != 0; }));
  EXPECT_THAT(node_.Log("fulcrum"), HasSubstr("flock: spawn is not for flock to say"));
  EXPECT_EQ(node_.End(SIGTERM), 0);
}

TEST_F(SupervisorTest, ADrainKillsWhoIgnoresIt) {
  node_.Have("reeve", "stubborn");
  node_.Start();
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Log("fulcrum"), HasSubstr("reeve: does not end; killing it"));
  EXPECT_THAT(node_.Processes(), IsEmpty());
}

TEST_F(SupervisorTest, AFullDiskHurtsNobody) {
  std::filesystem::create_directory(node_.state() / "log");
  for (const char* name : {"flock.log", "picket.log", "talker.log"}) {
    std::filesystem::create_symlink("/dev/full", node_.state() / "log" / name);
  }
  const std::string talker = node_.Script("talker", "echo something; exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("talker", talker).ok());
  EXPECT_EQ(node_.Plugin("talker").state(), picket::v1::PLUGIN_STATE_RUNNING);
  EXPECT_NE(node_.Find("flock"), 0);
  EXPECT_THAT(node_.Log("fulcrum"), testing::Not(HasSubstr("trying again")));
}

TEST_F(SupervisorTest, ANodeBootsOnAFullDisk) {
  // But for the logs, which say here what happened.
  const std::filesystem::path state = node_.state();
  std::filesystem::create_directory(state.parent_path() / "log");
  struct Disk {
    ~Disk() { umount2(path.c_str(), MNT_DETACH); }
    std::filesystem::path path;
  };
  if (mount("tmpfs", state.c_str(), "tmpfs", 0, "mode=0700,size=64k") != 0) {
    GTEST_SKIP() << "this user may not mount a disk to fill";
  }
  const Disk disk{state};
  std::filesystem::create_symlink(state.parent_path() / "log", state / "log");
  std::ofstream filler(state / "filler");
  while (filler.put('x').flush()) continue;
  filler.close();

  node_.Start();
  EXPECT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  for (const char* service : {"flock", "heartbeater", "reeve", "picket"}) {
    EXPECT_NE(node_.Find(service), 0) << service;
  }
  EXPECT_THAT(node_.Log("fulcrum"), HasSubstr("pid.new: No space left on device"));
  EXPECT_FALSE(std::filesystem::exists(state / "pid"));
  std::filesystem::remove(state / "filler");
  EXPECT_TRUE(Eventually([&] { return std::filesystem::exists(state / "pid"); }));
  EXPECT_EQ(node_.End(SIGTERM), 0);
}

TEST_F(SupervisorTest, AStopDuringTheBootIsAStop) {
  node_.Have("reeve", "crash");
  node_.Launch();
  ASSERT_TRUE(Eventually([&] { return node_.Log("fulcrum").find("step 3") != std::string::npos; }));
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Log("fulcrum"), testing::Not(HasSubstr("step 4")));
  EXPECT_THAT(node_.Log("fulcrum"), testing::Not(HasSubstr("step 5")));
}

TEST_F(SupervisorTest, OneStateFolderHasOneFulcrum) {
  node_.Start();
  const auto status =
      std::system(("/proc/" + std::to_string(getpid()) + "/exe node " + node_.state().string() +
                   " 2>" + (node_.state() / "second").string())
                      .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream file(node_.state() / "second");
  std::string text;
  std::getline(file, text);
  EXPECT_THAT(text, HasSubstr("another fulcrum runs in this state folder"));
  std::ifstream pid_file(node_.state() / "pid");
  pid_t pid = 0;
  pid_file >> pid;
  EXPECT_EQ(pid, node_.pid());
}

}  // namespace
}  // namespace radix::fulcrum

int main(int argc, char** argv) {
  int status = 0;
  if (radix::fulcrum::PlayPart(argc, argv, status)) return status;
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
