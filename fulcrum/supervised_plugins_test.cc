// Real plugins under a real supervisor and the real picket; see fake_node_test.h.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "fulcrum/fake_node_test.h"
#include "fulcrum/log_folder.h"
#include "fulcrum/supervisor.h"
#include "services/confab/plugin_user.h"

namespace radix::fulcrum {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SupervisedPluginsTest : public testing::Test {
 protected:
  FakeNode node_;
};

TEST_F(SupervisedPluginsTest, PluginsOutliveTheirPicketAndStayItsOwn) {
  const std::string sleeper = node_.Script("sleeper", "exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("sleeper", sleeper, {"a b", "$HOME"}, 5).ok());
  const auto before = node_.Plugin("sleeper");
  const pid_t picket = node_.Find("picket");
  kill(picket, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return IsGone(picket) && node_.Find("picket") != 0; }));
  const auto after = node_.Plugin("sleeper");
  EXPECT_EQ(after.pid(), before.pid());
  EXPECT_EQ(after.spec().SerializeAsString(), before.spec().SerializeAsString());
  EXPECT_TRUE(node_.StartPlugin("sleeper", sleeper, {"a b", "$HOME"}, 5).ok());
  EXPECT_EQ(node_.Plugin("sleeper").pid(), before.pid());
  // It also remembers whose orders are over.
  EXPECT_EQ(node_.StartPlugin("other", sleeper, {}, 4).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  kill(after.pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    return node_.Plugin("sleeper").restart_count() == 1 &&
           node_.Plugin("sleeper").pid() != after.pid();
  }));
}

TEST_F(SupervisedPluginsTest, APluginOfRootsRunsAsAUserOfItsOwnAndCanBecomeNobodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give a process another user";
  const std::string script = node_.Script(
      "who",
      "id -u; id -g; id -G; grep -E '^(Cap...|NoNewPrivs):' /proc/self/status; echo end; "
      "exec sleep 1000");
  node_.Start();
  for (const char* id : {"a.1.0", "a.1.1", "b.1.0"}) {
    ASSERT_TRUE(node_.StartPlugin(id, script).ok());
    ASSERT_TRUE(Eventually([&] { return node_.Log(id).find("end") != std::string::npos; }));
  }
  const std::string said = node_.Log("a.1.0");
  const int uid = std::stoi(said);
  EXPECT_TRUE(IsPluginUser(static_cast<std::uint32_t>(uid))) << said;
  const std::string number = std::to_string(uid) + "\n";
  EXPECT_THAT(said, HasSubstr(number + number + number)) << "no other group";
  for (const char* none : {"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000",
                           "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"}) {
    EXPECT_THAT(said, HasSubstr(none));
  }
  EXPECT_EQ(std::stoi(node_.Log("a.1.1")), uid) << "it is the same service";
  EXPECT_NE(std::stoi(node_.Log("b.1.0")), uid);
  // Neither a picket nor a plugin that is started again changes that.
  const pid_t picket = node_.Find("picket");
  kill(picket, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return IsGone(picket) && node_.Find("picket") != 0; }));
  kill(node_.Plugin("b.1.0").pid(), SIGKILL);
  ASSERT_TRUE(Eventually([&] {
    const std::string log = node_.Log("b.1.0");
    return log.rfind("end") != log.find("end");
  }));
  const std::string twice = node_.Log("b.1.0");
  EXPECT_EQ(std::stoi(twice.substr(twice.find("end") + 4)), std::stoi(twice));
}

TEST_F(SupervisedPluginsTest, AFileThatItsUserMayNotReadIsNotStartedAndTheReasonIsSaid) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give a process another user";
  const std::string script = node_.Script("mine", "exec sleep 1000");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  node_.Start();
  const grpc::Status refused = node_.StartPlugin("mine", script);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), AllOf(HasSubstr(script + ": user 6"),
                                             HasSubstr("may not read and run it; chmod o+rx")));
}

TEST_F(SupervisedPluginsTest, APluginIsToldWhereItRuns) {
  const std::string teller = node_.Script("teller", "env | grep ^RADIX_ | sort; exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("teller", teller).ok());
  ASSERT_TRUE(Eventually([&] {
    return node_.Log("teller").find("RADIX_SUP") != std::string::npos;
  })) << node_.Log("teller");
  for (const std::string& told :
       {std::string("RADIX_NODE=n1"), std::string("RADIX_FLOCK=test"),
        std::string("RADIX_ADDRESS=127.88.77.1"), "RADIX_STATE=" + node_.state().string()}) {
    EXPECT_THAT(node_.Log("teller"), HasSubstr(told + "\n"));
  }
}

TEST_F(SupervisedPluginsTest, APluginThatCrashesIsSeenAndStartedAgain) {
  const std::string crasher = node_.Script("crasher", "echo oops; exit 3");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("crasher", crasher).ok());
  EXPECT_TRUE(Eventually([&] { return node_.Plugin("crasher").restart_count() >= 2; }));
  EXPECT_EQ(node_.Plugin("crasher").last_exit(), "exited with status 3");
  EXPECT_THAT(node_.Log("crasher"), HasSubstr("oops\noops\n"));
}

TEST_F(SupervisedPluginsTest, APluginThatIgnoresSigtermIsKilledAfterItsGrace) {
  const std::string stubborn =
      node_.Script("stubborn", "trap '' TERM; echo ready; while :; do sleep 1; done");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("stubborn", stubborn).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Log("stubborn") == "ready\n"; }));
  const pid_t pid = node_.Plugin("stubborn").pid();
  ASSERT_TRUE(node_.StopPlugin("stubborn", 1).ok());
  EXPECT_EQ(node_.Plugin("stubborn").state(), picket::v1::PLUGIN_STATE_STOPPING);
  EXPECT_TRUE(Eventually([&] { return IsGone(pid); }));
  EXPECT_TRUE(Eventually(
      [&] { return node_.Plugin("stubborn").state() == picket::v1::PLUGIN_STATE_STOPPED; }));
  EXPECT_EQ(node_.Plugin("stubborn").last_exit(), "killed by signal 9 (Killed)");
}

TEST_F(SupervisedPluginsTest, WhatAPluginLeavesBehindEndsWithItAndOrphansAreReaped) {
  // One grandchild in the plugin's process group, one in a session of its own.
  const std::string forker =
      node_.Script("forker", "sleep 1000 & setsid sleep 1001 & echo $! ; sleep 0.3; exit 0");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("forker", forker).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Plugin("forker").restart_count() >= 1; }));
  ASSERT_TRUE(node_.StopPlugin("forker", 1).ok());
  const auto in_group = [](pid_t pid) {
    return CommandLineOf(pid) == std::string(
                                     "sleep\0"
                                     "1000\0",
                                     11);
  };
  ASSERT_TRUE(Eventually(
      [&] { return node_.Plugin("forker").state() == picket::v1::PLUGIN_STATE_STOPPED; }));
  const auto left = node_.Processes();
  EXPECT_EQ(std::count_if(left.begin(), left.end(), in_group), 0);
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Processes(), IsEmpty());
}

TEST_F(SupervisedPluginsTest, WhatAPluginMovedOutOfItsGroupEndsWithItToo) {
  const std::string daemons = node_.Script(
      "daemons", "setsid sleep 1002 & (setsid sh -c 'sleep 1002 & wait' &); exec sleep 1000");
  node_.Start();
  const auto left = [&] {
    const auto processes = node_.Processes();
    return std::count_if(processes.begin(), processes.end(), [](pid_t pid) {
      return CommandLineOf(pid).find("1002") != std::string::npos;
    });
  };
  ASSERT_TRUE(node_.StartPlugin("daemons", daemons).ok());
  ASSERT_TRUE(node_.StartPlugin("others", daemons).ok());
  ASSERT_TRUE(Eventually([&] { return left() == 6; }));
  ASSERT_TRUE(node_.StopPlugin("daemons", 1).ok());
  EXPECT_TRUE(Eventually([&] { return left() == 3; })) << left();
  EXPECT_EQ(node_.Plugin("others").state(), picket::v1::PLUGIN_STATE_RUNNING);
}

TEST_F(SupervisedPluginsTest, APluginThatLogsWithoutEndIsBounded) {
  const std::string talker =
      node_.Script("talker", "while :; do head -c 2000000 /dev/zero; sleep 0.1; done");
  node_.Start();
  ASSERT_TRUE(node_.StartPlugin("talker", talker).ok());
  const auto log = node_.state() / "log" / "talker.log";
  std::error_code error;
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(log.string() + ".1"); }));
  const auto before = std::filesystem::last_write_time(log.string() + ".1");
  EXPECT_TRUE(Eventually([&] {
    return std::filesystem::last_write_time(log.string() + ".1", error) > before;
  })) << "and again";
  EXPECT_TRUE(Eventually([&] { return std::filesystem::file_size(log, error) < kLogBytesMax; }));
  EXPECT_EQ(node_.Plugin("talker").restart_count(), 0);
}

TEST_F(SupervisedPluginsTest, RefusesWhatCannotRunAndSaysWhy) {
  node_.Start();
  const auto missing = node_.StartPlugin("missing", "/nowhere/at/all");
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), HasSubstr("/nowhere/at/all"));
  std::ofstream(node_.state() / "text") << "hello";
  const auto text = node_.StartPlugin("text", node_.state() / "text");
  EXPECT_EQ(text.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(text.error_message(), HasSubstr("chmod +x"));
  const auto folder = node_.StartPlugin("folder", node_.state());
  EXPECT_EQ(folder.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(node_.StartPlugin("flock", "/bin/true").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(node_.StartPlugin("x", "builtin:launch").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(node_.StartPlugin("x", "bin/true").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(node_.StartPlugin("../x", "/bin/true").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace radix::fulcrum

int main(int argc, char** argv) {
  int status = 0;
  if (radix::fulcrum::PlayPart(argc, argv, status)) return status;
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
