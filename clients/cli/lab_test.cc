#include "clients/cli/lab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "services/confab/charter_file.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class LabTest : public testing::Test {
 protected:
  LabTest() {
    std::string pattern = (fs::temp_directory_path() / "radix-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    plan_.state = folder_ / "lab";
    setenv("XDG_STATE_HOME", (folder_ / "home").c_str(), 1);
    unsetenv("RADIX_LAB");
  }
  ~LabTest() override { fs::remove_all(folder_); }

  absl::Status Write() {
    const auto lab = PlanLab(plan_);
    if (!lab.ok()) return lab.status();
    if (absl::Status status = MakePlace(lab->state); !status.ok()) return status;
    return WriteLab(*lab);
  }

  fs::path folder_;
  LabPlan plan_;
};

TEST_F(LabTest, NumbersItsNodesFromTheFirstUsableAddress) {
  plan_.nodes = 3;
  plan_.labels = {"n2:rack=7", "n2:fast"};
  const auto lab = PlanLab(plan_);
  ASSERT_TRUE(lab.ok()) << lab.status();
  ASSERT_EQ(lab->nodes.size(), 3U);
  EXPECT_EQ(lab->nodes[0].name, "n1");
  EXPECT_EQ(lab->nodes[0].address, "127.88.0.1");
  EXPECT_EQ(lab->nodes[2].address, "127.88.0.3");
  EXPECT_THAT(lab->nodes[1].labels, ElementsAre("rack=7", "fast"));
  plan_.range = "127.89.0.7-127.89.0.9";
  EXPECT_EQ(PlanLab(plan_)->nodes[0].address, "127.89.0.7");
}

TEST_F(LabTest, RefusesFlagsThatCanNeverBe) {
  const auto refuses = [](LabPlan plan, const std::string& flag) {
    const auto lab = PlanLab(plan);
    EXPECT_TRUE(absl::IsInvalidArgument(lab.status())) << lab.status();
    EXPECT_THAT(MessageOf(lab.status()), testing::StartsWith(flag));
  };
  LabPlan plan = plan_;
  plan.nodes = 0;
  refuses(plan, "--nodes");
  plan = plan_;
  plan.port = 65535;
  refuses(plan, "--port");
  for (const char* range : {"", "pigs", "127.0.0.9-127.0.0.1", "127.0.0.0/33", "10.0.0.0/24"}) {
    plan = plan_;
    plan.range = range;
    refuses(plan, "--range");
  }
  for (const char* label : {"", "n2", "n2:", "n9:fast", ":fast", "n2:=v", "n2:a b"}) {
    plan = plan_;
    plan.labels = {label};
    refuses(plan, "--label");
  }
}

TEST_F(LabTest, OfNetworkNamespacesHasAddressesOfItsOwnAndOnlyFlock) {
  plan_.netns = true;
  plan_.flock_only = true;
  plan_.range = kNetnsRange;
  plan_.loss = 20;
  const auto lab = PlanLab(plan_);
  ASSERT_TRUE(lab.ok()) << lab.status();
  EXPECT_EQ(lab->nodes[0].address, "10.88.0.1");
  ASSERT_TRUE(Write().ok());
  const auto read = LoadLab(plan_.state);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->netns);
  EXPECT_TRUE(read->flock_only);
  EXPECT_EQ(read->loss, 20);
}

TEST_F(LabTest, RefusesANetworkThatWouldCarryPlaintextOrCannotBeMade) {
  const auto refuses = [](const LabPlan& plan, const std::string& flag, const std::string& why) {
    const auto lab = PlanLab(plan);
    EXPECT_TRUE(absl::IsInvalidArgument(lab.status())) << lab.status();
    EXPECT_THAT(MessageOf(lab.status()), testing::AllOf(testing::StartsWith(flag), HasSubstr(why)));
  };
  LabPlan good = plan_;
  good.netns = good.flock_only = true;
  good.range = kNetnsRange;
  ASSERT_TRUE(PlanLab(good).ok());
  LabPlan plan = good;
  plan.flock_only = false;
  EXPECT_TRUE(PlanLab(plan).ok()) << "what leaves a node is encrypted";
  for (const char* range : {"127.88.0.0/24", "fd00::/120"}) {
    plan = good;
    plan.range = range;
    refuses(plan, "--range", "10.88.0.0/24");
  }
  for (const int loss : {-1, 100}) {
    plan = good;
    plan.loss = loss;
    refuses(plan, "--loss", "from 0 to 99");
  }
  plan = plan_;
  plan.loss = 20;
  refuses(plan, "--loss", "--netns");
  plan = plan_;
  plan.flock_only = true;
  EXPECT_TRUE(PlanLab(plan).ok()) << "loopback addresses do for flock, too";
  plan.range = kNetnsRange;
  refuses(plan, "--range", "without --netns");
}

TEST_F(LabTest, RefusesMoreNodesThanAddressesAndPathsTooLongForASocket) {
  plan_.nodes = 256;
  EXPECT_TRUE(absl::IsFailedPrecondition(PlanLab(plan_).status()));
  EXPECT_THAT(MessageOf(PlanLab(plan_).status()), HasSubstr("255 addresses of 127.88.0.0/24"));
  plan_.nodes = 255;
  EXPECT_TRUE(PlanLab(plan_).ok());
  plan_.state = "/" + std::string(68, 'x');  // + /n255/doors/0123456789/heartbeater.sock is 108
  EXPECT_TRUE(absl::IsFailedPrecondition(PlanLab(plan_).status()));
  EXPECT_THAT(MessageOf(PlanLab(plan_).status()), HasSubstr("--state"));
  plan_.state = "/" + std::string(67, 'x');
  EXPECT_TRUE(PlanLab(plan_).ok());
}

// The nodes could not tell their plugins where they are: `lab up` waited a minute, and said
// nothing.
TEST_F(LabTest, RefusesAPathThatIsNoUtf8) {
  plan_.state = "/tmp/Tr\xe4ume";
  EXPECT_TRUE(absl::IsFailedPrecondition(PlanLab(plan_).status()));
  EXPECT_THAT(MessageOf(PlanLab(plan_).status()), HasSubstr("UTF-8"));
  plan_.state = "/tmp/Tr\xc3\xa4ume";
  EXPECT_TRUE(PlanLab(plan_).ok());
}

TEST_F(LabTest, ReadsBackWhatItWrote) {
  plan_.labels = {"n3:big"};
  ASSERT_TRUE(Write().ok()) << Write();
  const auto lab = LoadLab(plan_.state);
  ASSERT_TRUE(lab.ok()) << lab.status();
  EXPECT_EQ(lab->port, 7117);
  EXPECT_EQ(lab->nodes.size(), 5U);
  EXPECT_THAT(lab->nodes[2].labels, ElementsAre("big"));
  EXPECT_TRUE(absl::IsNotFound(lab->Node("").status())) << "`radix lab kill \"$UNSET\"`";
  EXPECT_EQ(lab->Node("n5")->state, plan_.state / "n5");
  EXPECT_TRUE(absl::IsNotFound(lab->Node("n6").status()));
}

TEST_F(LabTest, WritesACharterThatFulcrumTakes) {
  ASSERT_TRUE(Write().ok());
  const auto charter = confab::LoadCharter(plan_.state / "charter.yaml");
  ASSERT_TRUE(charter.ok()) << charter.status();
  EXPECT_EQ(charter->at_most, 5U);
  EXPECT_EQ(charter->quorum, 3U);
  EXPECT_TRUE(confab::LoadKeys(plan_.state / "charter.yaml", *charter).ok());
}

TEST_F(LabTest, KeepsWhatThereWasWhenTheDiskIsFull) {
  ASSERT_TRUE(Write().ok());
  plan_.nodes = 3;
  // A file that may not grow fails as one does for which there is no room.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit nothing{0, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &nothing);
  const absl::Status written = Write();
  const absl::Status recorded = RecordLab(plan_.state);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(written.ok());
  EXPECT_THAT(MessageOf(written), HasSubstr("lab.json"));
  EXPECT_FALSE(recorded.ok());
  ASSERT_TRUE(LoadLab(plan_.state).ok()) << LoadLab(plan_.state).status();
  EXPECT_EQ(LoadLab(plan_.state)->nodes.size(), 5U);
  EXPECT_TRUE(confab::LoadCharter(plan_.state / "charter.yaml").ok());
  EXPECT_FALSE(fs::exists(plan_.state / "lab.json.next"));
}

TEST_F(LabTest, IsMadeAnewWithFewerNodesAndKeptWithMore) {
  plan_.nodes = 3;
  ASSERT_TRUE(Write().ok());
  std::ofstream(plan_.state / "n1" / "desired.db") << "decisions";
  plan_.nodes = 5;
  ASSERT_TRUE(Write().ok());
  EXPECT_TRUE(fs::exists(plan_.state / "n1" / "desired.db"));
  plan_.nodes = 4;
  ASSERT_TRUE(Write().ok());
  EXPECT_FALSE(fs::exists(plan_.state / "n1" / "desired.db"));
  EXPECT_FALSE(fs::exists(plan_.state / "n5"));
}

TEST_F(LabTest, RefusesAFolderThatHoldsSomethingElseOrIsOpenToOthers) {
  fs::create_directories(plan_.state);
  fs::permissions(plan_.state, fs::perms(0755));
  EXPECT_THAT(MessageOf(Write()), HasSubstr("chmod 700"));
  fs::permissions(plan_.state, fs::perms(0700));
  std::ofstream(plan_.state / "thesis.txt") << "years";
  EXPECT_THAT(MessageOf(Write()), HasSubstr("thesis.txt"));
  EXPECT_TRUE(fs::exists(plan_.state / "thesis.txt"));
  EXPECT_FALSE(fs::exists(plan_.state / "lab.json"));
}

TEST_F(LabTest, SaysThatADamagedLabIsDamaged) {
  ASSERT_TRUE(Write().ok());
  std::ofstream(plan_.state / "lab.json") << "{\"range\": 7";
  EXPECT_THAT(MessageOf(LoadLab(plan_.state).status()), HasSubstr("`radix lab down --state"));
  EXPECT_TRUE(absl::IsDataLoss(LoadLab(plan_.state).status()));
  EXPECT_TRUE(absl::IsDataLoss(Write()));
}

TEST_F(LabTest, FindsTheNodesOfADamagedLabByTheirFolders) {
  ASSERT_TRUE(Write().ok());
  EXPECT_TRUE(NodesLeftIn(plan_.state).empty()) << "none was ever started";
  std::ofstream(plan_.state / "n2" / "pid") << "1 1\n";
  const auto left = NodesLeftIn(plan_.state);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].name, "n2");
  EXPECT_EQ(left[0].state, plan_.state / "n2");
  EXPECT_TRUE(NodesLeftIn(plan_.state / "nowhere").empty());
}

TEST_F(LabTest, IsFoundByFlagThenByEnvironmentThenByRecord) {
  EXPECT_EQ(FindLab(""), "");
  ASSERT_TRUE(RecordLab("/recorded").ok());
  EXPECT_EQ(FindLab(""), "/recorded");
  setenv("RADIX_LAB", "/named", 1);
  EXPECT_EQ(FindLab(""), "/named");
  EXPECT_EQ(FindLab("/flag/"), "/flag");
  ForgetLab("/another");
  unsetenv("RADIX_LAB");
  EXPECT_EQ(FindLab(""), "/recorded");
  ForgetLab("/recorded");
  EXPECT_EQ(FindLab(""), "");
  EXPECT_TRUE(absl::IsNotFound(LoadLab(FindLab("")).status()));
}

TEST_F(LabTest, IsNotFoundByARecordInWhateverFolderOneStandsIn) {
  const fs::path before = fs::current_path();
  fs::create_directories(folder_ / ".local/state/radix");
  std::ofstream(folder_ / ".local/state/radix/lab") << "/trap\n";
  fs::current_path(folder_);
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  EXPECT_NE(FindLab(""), "/trap");
  fs::current_path(before);
}

}  // namespace
}  // namespace radix::cli
