#include "clients/cli/rules_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "clients/cli/starter_rules.h"
#include "services/trust/review.h"

namespace radix::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using trust::Verb;

class RulesFileTest : public testing::Test {
 protected:
  RulesFileTest() {
    std::string pattern = (fs::temp_directory_path() / "radix-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~RulesFileTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& text) {
    const std::string path = (folder_ / "a.rules").string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  fs::path folder_;
};

TEST_F(RulesFileTest, IsReadWithItsComments) {
  const std::string path = Write("# why\ncall a/b c/d\n");
  const auto file = LoadRules(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->source, path);
  EXPECT_EQ(file->text, "# why\ncall a/b c/d\n");
  EXPECT_EQ(file->rules.list().back().line, 2);
}

TEST_F(RulesFileTest, WhatIsWrongIsNamedWithFileAndLine) {
  const auto error = [](const std::string& path) {
    return std::string(LoadRules(path).status().message());
  };
  std::string path = Write("call a/b c/d\nallow a/b c/d\n");
  EXPECT_THAT(error(path), StartsWith(path + ": line 2: is not '[deny] call CALLER API'"));
  path = Write("");
  EXPECT_THAT(error(path), StartsWith(path + ": is empty"));
  EXPECT_THAT(error("/dev/zero"), HasSubstr("is longer than"));
  EXPECT_THAT(error(folder_.string()), HasSubstr("is no readable file"));
  EXPECT_THAT(error((folder_ / "none").string()), HasSubstr("there is no such file"));
}

TEST_F(RulesFileTest, TheStartersLetAllOfTheHordeDefaultCallAndServe) {
  const auto file = LoadRules(Write(kStarterRules));
  ASSERT_TRUE(file.ok()) << file.status();
  const trust::Party here{"default", "a"};
  const trust::Party there{"default", "b2"};
  EXPECT_TRUE(file->rules.Decide(Verb::kCall, here, there).allowed);
  EXPECT_TRUE(file->rules.Decide(Verb::kServe, here, there).allowed);
  for (const auto& [subject, api] : {std::pair(here, trust::Party{"shop", "cart2"}),
                                     std::pair(trust::Party{"shop", "front"}, there),
                                     std::pair(here, trust::Party{"radix", "reeve1"})}) {
    EXPECT_FALSE(file->rules.Decide(Verb::kCall, subject, api).allowed) << api.ToString();
    EXPECT_FALSE(file->rules.Decide(Verb::kServe, subject, api).allowed) << api.ToString();
  }
  EXPECT_THAT(FindNeverReached(file->rules), IsEmpty());
}

}  // namespace
}  // namespace radix::cli
