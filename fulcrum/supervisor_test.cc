// Real processes under a real supervisor, with the real picket; see fake_node_test.h.

#include "fulcrum/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "clients/cpp/call.h"
#include "fulcrum/fake_node_test.h"
#include "radix/picket/v1/picket.grpc.pb.h"
#include "services/confab/dial.h"

namespace radix::fulcrum {
namespace {

using picket::v1::PicketService;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SupervisorTest : public testing::Test {
 protected:
  // A program of others: a shell script, with what it does.
  std::string Script(const std::string& name, const std::string& text) {
    const std::string path = node_.state() / name;
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    chmod(path.c_str(), 0755);
    return path;
  }

  grpc::Status StartPlugin(const std::string& id, const std::string& file,
                           const std::vector<std::string>& args = {}, std::int64_t epoch = 1) {
    picket::v1::StartRequest request;
    picket::v1::StartResponse response;
    request.set_epoch(epoch);
    request.mutable_spec()->set_id(id);
    request.mutable_spec()->set_owner("test");
    request.mutable_spec()->set_file(file);
    for (const std::string& each : args) request.mutable_spec()->add_args(each);
    auto stub = PicketService::NewStub(confab::DialLocal(Here(), "picket"));
    return Call(*stub->async(), &PicketService::Stub::async::Start, request, response,
                {.timeout = 10s, .wait_for_ready = true});
  }

  grpc::Status StopPlugin(const std::string& id, std::int32_t grace_seconds) {
    picket::v1::StopRequest request;
    picket::v1::StopResponse response;
    request.set_epoch(1);
    request.set_id(id);
    request.set_grace_seconds(grace_seconds);
    auto stub = PicketService::NewStub(confab::DialLocal(Here(), "picket"));
    return Call(*stub->async(), &PicketService::Stub::async::Stop, request, response,
                {.timeout = 10s, .wait_for_ready = true});
  }

  picket::v1::Plugin Plugin(const std::string& id) {
    picket::v1::ListPluginsRequest request;
    picket::v1::ListPluginsResponse response;
    auto stub = PicketService::NewStub(confab::DialLocal(Here(), "picket"));
    Call(*stub->async(), &PicketService::Stub::async::ListPlugins, request, response,
         {.timeout = 10s, .wait_for_ready = true});
    for (const auto& each : response.plugins()) {
      if (each.spec().id() == id) return each;
    }
    return {};
  }

  confab::Node Here() const { return {.name = "n1", .state = node_.state()}; }
  std::string CommandLineOf(pid_t pid) const {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool Gone(pid_t pid) const { return StateOf(pid) == '\0' || StateOf(pid) == 'Z'; }

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
        "picket: ended as asked", "reeve: ended as asked", "heartbeater: ended as asked",
        "flock: ended as asked", "down"}) {
    place = log.find(line, place);
    ASSERT_NE(place, std::string::npos) << line << " does not follow in:\n" << log;
  }
}

TEST_F(SupervisorTest, NothingOutlivesAKilledSupervisorNotEvenWhatIsStopped) {
  const std::string sleeper = Script("sleeper", "exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(StartPlugin("sleeper", sleeper).ok());
  // This one is not stopped: the kernel hangs up on stopped groups that are orphaned.
  ASSERT_TRUE(StartPlugin("runner", "/bin/sleep", {"1000"}).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Find("dean") != 0; }));
  kill(node_.Find("reeve"), SIGSTOP);
  // Stopped while it is still `fulcrum launch`, it could not tie itself to its parent yet.
  const pid_t sleeping = Plugin("sleeper").pid();
  ASSERT_TRUE(Eventually([&] { return CommandLineOf(sleeping).starts_with("sleep"); }));
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

TEST_F(SupervisorTest, ChildrenHaveNoDescriptorsButTheirOwn) {
  const std::string sleeper = Script("sleeper", "exec sleep 1000");
  node_.Start();
  // Stand-ins open one descriptor themselves: their inbox.
  for (const char* service : {"flock", "heartbeater", "reeve"}) {
    EXPECT_THAT(DescriptorsOf(node_.Find(service)), ElementsAre(0, 1, 2, 3, 4)) << service;
  }
  ASSERT_TRUE(StartPlugin("program", "/bin/sleep", {"1000"}).ok());
  const pid_t program = Plugin("program").pid();
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
  EXPECT_TRUE(Gone(first));
  EXPECT_TRUE(Eventually([&] {
    const auto args = Plugin("proctor").spec().args();
    return args.size() == 2 && args[1] == "8" && Plugin("proctor").pid() != 0;
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

TEST_F(SupervisorTest, PluginsOutliveTheirPicketAndStayItsOwn) {
  const std::string sleeper = Script("sleeper", "exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(StartPlugin("sleeper", sleeper, {"a b", "$HOME"}, 5).ok());
  const auto before = Plugin("sleeper");
  const pid_t picket = node_.Find("picket");
  kill(picket, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return Gone(picket) && node_.Find("picket") != 0; }));
  const auto after = Plugin("sleeper");
  EXPECT_EQ(after.pid(), before.pid());
  EXPECT_EQ(after.spec().SerializeAsString(), before.spec().SerializeAsString());
  EXPECT_TRUE(StartPlugin("sleeper", sleeper, {"a b", "$HOME"}, 5).ok());
  EXPECT_EQ(Plugin("sleeper").pid(), before.pid());
  // It also remembers whose orders are over.
  EXPECT_EQ(StartPlugin("other", sleeper, {}, 4).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  kill(after.pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] {
    return Plugin("sleeper").restart_count() == 1 && Plugin("sleeper").pid() != after.pid();
  }));
}

TEST_F(SupervisorTest, APluginThatCrashesIsSeenAndStartedAgain) {
  const std::string crasher = Script("crasher", "echo oops; exit 3");
  node_.Start();
  ASSERT_TRUE(StartPlugin("crasher", crasher).ok());
  EXPECT_TRUE(Eventually([&] { return Plugin("crasher").restart_count() >= 2; }));
  EXPECT_EQ(Plugin("crasher").last_exit(), "exited with status 3");
  EXPECT_THAT(node_.Log("crasher"), HasSubstr("oops\noops\n"));
}

TEST_F(SupervisorTest, APluginThatIgnoresSigtermIsKilledAfterItsGrace) {
  const std::string stubborn =
      Script("stubborn", "trap '' TERM; echo ready; while :; do sleep 1; done");
  node_.Start();
  ASSERT_TRUE(StartPlugin("stubborn", stubborn).ok());
  ASSERT_TRUE(Eventually([&] { return node_.Log("stubborn") == "ready\n"; }));
  const pid_t pid = Plugin("stubborn").pid();
  ASSERT_TRUE(StopPlugin("stubborn", 1).ok());
  EXPECT_EQ(Plugin("stubborn").state(), picket::v1::PLUGIN_STATE_STOPPING);
  EXPECT_TRUE(Eventually([&] { return Gone(pid); }));
  EXPECT_TRUE(
      Eventually([&] { return Plugin("stubborn").state() == picket::v1::PLUGIN_STATE_STOPPED; }));
  EXPECT_EQ(Plugin("stubborn").last_exit(), "killed by signal 9 (Killed)");
}

TEST_F(SupervisorTest, ADrainKillsWhoIgnoresIt) {
  node_.Have("reeve", "stubborn");
  node_.Start();
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Log("fulcrum"), HasSubstr("reeve: does not end; killing it"));
  EXPECT_THAT(node_.Processes(), IsEmpty());
}

TEST_F(SupervisorTest, WhatAPluginLeavesBehindEndsWithItAndOrphansAreReaped) {
  // One grandchild in the plugin's process group, one in a session of its own.
  const std::string forker =
      Script("forker", "sleep 1000 & setsid sleep 1001 & echo $! ; sleep 0.3; exit 0");
  node_.Start();
  ASSERT_TRUE(StartPlugin("forker", forker).ok());
  ASSERT_TRUE(Eventually([&] { return Plugin("forker").restart_count() >= 1; }));
  ASSERT_TRUE(StopPlugin("forker", 1).ok());
  const auto in_group = [&](pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text == std::string(
                       "sleep\0"
                       "1000\0",
                       11);
  };
  ASSERT_TRUE(
      Eventually([&] { return Plugin("forker").state() == picket::v1::PLUGIN_STATE_STOPPED; }));
  const auto left = node_.Processes();
  EXPECT_EQ(std::count_if(left.begin(), left.end(), in_group), 0);
  EXPECT_EQ(node_.End(SIGTERM), 0);
  EXPECT_THAT(node_.Processes(), IsEmpty());
}

TEST_F(SupervisorTest, WhatAPluginMovedOutOfItsGroupEndsWithItToo) {
  const std::string daemons = Script(
      "daemons", "setsid sleep 1002 & (setsid sh -c 'sleep 1002 & wait' &); exec sleep 1000");
  node_.Start();
  const auto left = [&] {
    const auto processes = node_.Processes();
    return std::count_if(processes.begin(), processes.end(), [](pid_t pid) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      return text.find("1002") != std::string::npos;
    });
  };
  ASSERT_TRUE(StartPlugin("daemons", daemons).ok());
  ASSERT_TRUE(StartPlugin("others", daemons).ok());
  ASSERT_TRUE(Eventually([&] { return left() == 6; }));
  ASSERT_TRUE(StopPlugin("daemons", 1).ok());
  EXPECT_TRUE(Eventually([&] { return left() == 3; })) << left();
  EXPECT_EQ(Plugin("others").state(), picket::v1::PLUGIN_STATE_RUNNING);
}

TEST_F(SupervisorTest, AFullDiskHurtsNobody) {
  std::filesystem::create_directory(node_.state() / "log");
  for (const char* name : {"flock.log", "picket.log", "talker.log"}) {
    std::filesystem::create_symlink("/dev/full", node_.state() / "log" / name);
  }
  const std::string talker = Script("talker", "echo something; exec sleep 1000");
  node_.Start();
  ASSERT_TRUE(StartPlugin("talker", talker).ok());
  EXPECT_EQ(Plugin("talker").state(), picket::v1::PLUGIN_STATE_RUNNING);
  EXPECT_NE(node_.Find("flock"), 0);
  EXPECT_THAT(node_.Log("fulcrum"), testing::Not(HasSubstr("trying again")));
}

TEST_F(SupervisorTest, RefusesWhatCannotRunAndSaysWhy) {
  node_.Start();
  const auto missing = StartPlugin("missing", "/nowhere/at/all");
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), HasSubstr("/nowhere/at/all"));
  std::ofstream(node_.state() / "text") << "hello";
  const auto text = StartPlugin("text", node_.state() / "text");
  EXPECT_EQ(text.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(text.error_message(), HasSubstr("chmod +x"));
  const auto folder = StartPlugin("folder", node_.state());
  EXPECT_EQ(folder.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(StartPlugin("flock", "/bin/true").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(StartPlugin("x", "builtin:launch").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(StartPlugin("x", "bin/true").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(StartPlugin("../x", "/bin/true").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
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
