#include "services/flock/state_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <sstream>

#include "services/confab/charter_file.h"
#include "services/flock/persist_driver.h"

namespace radix::flock {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StateDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "stateXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    state_ = folder;
  }
  void TearDown() override { fs::remove_all(state_); }

  std::string Read(const std::string& name) const {
    std::ifstream file(state_ / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(state_ / name, std::ios::trunc) << text;
  }
  mode_t ModeOf(const std::string& name) const {
    struct stat info {};
    EXPECT_EQ(stat((state_ / name).c_str(), &info), 0) << name;
    return info.st_mode & 0777;
  }

  fs::path state_;
};

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }

TEST_F(StateDriverTest, RemembersThePromiseAndItsHolder) {
  EXPECT_EQ(LoadPromise(state_).value(), std::nullopt) << "nothing was promised yet";
  for (const RecordedPromise& promise : {RecordedPromise{1, Ip("127.88.0.2"), 0xfedcba9876543210U},
                                         RecordedPromise{kEpochMax, Ip("fd00::7"), 1}}) {
    ASSERT_TRUE(StorePromise(state_, promise).ok());
    EXPECT_EQ(LoadPromise(state_).value(), promise);
    EXPECT_FALSE(fs::exists(state_ / "epoch.new"));
  }
}

TEST_F(StateDriverTest, ACrashInTheMiddleOfWritingLeavesTheOldPromise) {
  const RecordedPromise old{3, Ip("127.88.0.2"), 7};
  const RecordedPromise next{4, Ip("127.88.0.3"), 8};
  ASSERT_TRUE(StorePromise(state_, next).ok());
  const std::string whole = Read("epoch");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    ASSERT_TRUE(StorePromise(state_, old).ok());
    Write("epoch.new", whole.substr(0, size));  // the crash: not renamed yet
    EXPECT_EQ(LoadPromise(state_).value(), old) << size;
    ASSERT_TRUE(StorePromise(state_, next).ok());
    EXPECT_EQ(LoadPromise(state_).value(), next) << size;
  }
}

TEST_F(StateDriverTest, NeverTakesADamagedPromiseForAnother) {
  ASSERT_TRUE(StorePromise(state_, {12, Ip("127.88.0.2"), 7}).ok());
  const std::string whole = Read("epoch");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Write("epoch", whole.substr(0, size));
    EXPECT_EQ(LoadPromise(state_).status().code(), absl::StatusCode::kDataLoss) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    Write("epoch", damaged);
    EXPECT_EQ(LoadPromise(state_).status().code(), absl::StatusCode::kDataLoss) << at;
  }
  Write("epoch", whole + " ");
  EXPECT_EQ(LoadPromise(state_).status().code(), absl::StatusCode::kDataLoss);
  fs::remove(state_ / "epoch");
  fs::create_directory(state_ / "epoch");
  EXPECT_EQ(LoadPromise(state_).status().code(), absl::StatusCode::kDataLoss) << "unreadable";
}

// A node that kept to it would grant nothing for ever.
TEST_F(StateDriverTest, AnEpochThatThereCannotBeCountsAsDamaged) {
  for (const std::uint64_t epoch : {kEpochMax, kEpochMax + 1, ~std::uint64_t{0}}) {
    ASSERT_TRUE(StorePromise(state_, {epoch, Ip("127.88.0.3"), 8}).ok());
    EXPECT_EQ(LoadPromise(state_).ok(), epoch == kEpochMax);
  }
}

TEST_F(StateDriverTest, ADiskThatFailsConfirmsNothingUntilItWorksAgain) {
  fs::create_directory(state_ / "epoch.new");  // now the file beside cannot be opened
  const Promise first{5, {1, 7}};
  const Promise second{6, {2, 8}};
  std::promise<Promise> stored;
  std::promise<Promise> refused;
  std::atomic<int> calls = 0;
  PersistDriver disk({state_, {}, "n1"}, *AddressRanges::Parse({"127.88.0.1-127.88.0.4"}),
                     {.on_promise =
                          [&](const Promise& promise) {
                            if (++calls == 1) stored.set_value(promise);
                          },
                      .on_promise_refused =
                          [&](const Promise& promise) {
                            if (promise == second) refused.set_value(promise);  // once only
                          },
                      .on_key_file = nullptr});
  EXPECT_FALSE(StorePromise(state_, {5, Ip("127.88.0.2"), 7}).ok());
  disk.StorePromise(first);
  disk.StorePromise(second);
  auto confirmed = stored.get_future();
  EXPECT_EQ(confirmed.wait_for(300ms), std::future_status::timeout);
  EXPECT_EQ(refused.get_future().wait_for(20s), std::future_status::ready) << "who waits is told";
  fs::remove(state_ / "epoch.new");
  ASSERT_EQ(confirmed.wait_for(20s), std::future_status::ready);
  EXPECT_EQ(confirmed.get(), second) << "the later promise replaces the one that waited";
  EXPECT_EQ(LoadPromise(state_).value(), (RecordedPromise{6, Ip("127.88.0.3"), 8}));
}

TEST_F(StateDriverTest, RemembersPeersAndTakesOnlyAddressesFromTheFile) {
  EXPECT_THAT(LoadPeers(state_), IsEmpty());
  ASSERT_TRUE(StorePeers(state_, {Ip("127.88.0.2"), Ip("fd00::7")}).ok());
  EXPECT_THAT(LoadPeers(state_), ElementsAre(Ip("127.88.0.2"), Ip("fd00::7")));
  Write("peers", "garbage\n\n127.88.0.3\n127.88.0.999\n::1");
  EXPECT_THAT(LoadPeers(state_), ElementsAre(Ip("127.88.0.3"), Ip("::1")));
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "127.88.0.1\n";
  Write("peers", many);
  EXPECT_EQ(LoadPeers(state_).size(), 64U);
}

TEST_F(StateDriverTest, RemembersWhoWasRevokedAndNeverTakesADamagedListForAnother) {
  EXPECT_THAT(LoadRevoked(state_).value(), IsEmpty()) << "nobody was";
  const std::vector<std::uint64_t> revoked = {7, 0xfedcba9876543210U};
  ASSERT_TRUE(StoreRevoked(state_, revoked).ok());
  EXPECT_EQ(LoadRevoked(state_).value(), revoked);
  const std::string whole = Read("revoked");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Write("revoked", whole.substr(0, size));
    EXPECT_EQ(LoadRevoked(state_).status().code(), absl::StatusCode::kDataLoss) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    Write("revoked", damaged);
    EXPECT_EQ(LoadRevoked(state_).status().code(), absl::StatusCode::kDataLoss) << at;
  }
  Write("revoked", whole + "\n");
  EXPECT_EQ(LoadRevoked(state_).status().code(), absl::StatusCode::kDataLoss);
  const std::vector<std::uint64_t> many(20000, 5);
  ASSERT_TRUE(StoreRevoked(state_, many).ok());
  EXPECT_EQ(LoadRevoked(state_).value(), many);
}

// What `fulcrum flock` starts from.
class LoadConfigTest : public StateDriverTest {
 protected:
  void SetUp() override {
    StateDriverTest::SetUp();
    arguments_.charter_path = state_ / "charter.yaml";
    arguments_.charter = *Charter::Create({.bloc = "lab",
                                           .ranges = {"127.88.0.1-127.88.0.4"},
                                           .port = 7117,
                                           .key_file = "secondary.key"});
    arguments_.node = {"n2", Ip("127.88.0.2"), state_, {"KV"}};
    ASSERT_TRUE(confab::MakeKeyFile(state_ / "secondary.key").ok());
  }

  confab::ServiceArguments arguments_;
};

TEST_F(LoadConfigTest, StartsWithWhatItKeptAndAFreshBoot) {
  ASSERT_TRUE(StorePromise(state_, {9, Ip("127.88.0.3"), 77}).ok());
  ASSERT_TRUE(StorePeers(state_, {Ip("127.88.0.4"), Ip("10.0.0.1")}).ok());
  ASSERT_TRUE(StoreRevoked(state_, {7}).ok());
  const auto config = LoadConfig(arguments_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->slot, 1U);
  EXPECT_THAT(config->revoked, ElementsAre(7));
  EXPECT_TRUE(config->has_disk);
  EXPECT_EQ(config->recorded, (Promise{9, {2, 77}}));
  EXPECT_THAT(config->remembered, ElementsAre(3));
  const auto again = LoadConfig(arguments_);
  EXPECT_EQ(again->identity_seed, config->identity_seed);
  EXPECT_NE(again->boot, config->boot);
  EXPECT_NE(again->entropy, config->entropy);
}

TEST_F(LoadConfigTest, AHolderOutsideOfTheRangesStillBarsItsEpoch) {
  ASSERT_TRUE(StorePromise(state_, {9, Ip("127.99.0.3"), 77}).ok());
  EXPECT_EQ(LoadConfig(arguments_)->recorded, (Promise{9, {0, 0}}));
}

TEST_F(LoadConfigTest, GoesOnWithoutADamagedPromiseAndReplacesItByTheNext) {
  Write("epoch", "epoch 9 hol");
  const auto config = LoadConfig(arguments_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->recorded, Promise{});
  EXPECT_TRUE(config->has_disk);
  EXPECT_EQ(Read("epoch"), "epoch 9 hol") << "loud again, until there is a new promise";
}

TEST_F(LoadConfigTest, GoesOnWithoutADamagedListOfWhoWasRevoked) {
  Write("revoked", "0000000000000007\nsum");
  const auto config = LoadConfig(arguments_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->revoked, IsEmpty());
}

TEST_F(LoadConfigTest, SaysWhatIsWrong) {
  const auto message = [&] { return std::string(LoadConfig(arguments_).status().message()); };
  arguments_.node.labels = {std::string(128, 'a'), std::string(128, 'b')};
  EXPECT_THAT(message(), HasSubstr("--label"));
  arguments_.node.labels.clear();
  arguments_.node.address = Ip("127.99.0.1");
  EXPECT_THAT(message(), HasSubstr("127.99.0.1 is in none of the charter's ranges"));
  arguments_.node.address = Ip("127.88.0.1");
  ASSERT_EQ(chmod((state_ / "secondary.key").c_str(), 0644), 0);
  EXPECT_THAT(message(), HasSubstr("chmod 600"));
  EXPECT_FALSE(fs::exists(state_ / "node.key")) << "nothing half done";
}

}  // namespace
}  // namespace radix::flock
