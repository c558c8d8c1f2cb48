#include "services/picket/picket_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/picket/supervisor_codec.h"

namespace radix::picket {
namespace {

using testing::StartsWith;

v1::PluginSpec Good() {
  v1::PluginSpec spec;
  spec.set_id("galumph-n1-0");
  spec.set_owner("galumph");
  spec.set_file("/bin/true");
  spec.add_args("--x");
  spec.add_env("A=b");
  return spec;
}

std::string Problem(const v1::PluginSpec& spec) {
  const auto decoded = DecodeSpec(spec);
  return decoded.ok() ? "" : std::string(decoded.status().message());
}

TEST(PicketCodecTest, ASpecificationComesBackAsItWent) {
  const auto spec = DecodeSpec(Good());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(*DecodeSpec(EncodeSpec(*spec)), *spec);
}

TEST(PicketCodecTest, NamesTheFieldThatIsWrong) {
  const auto with = [](auto change) {
    v1::PluginSpec spec = Good();
    change(spec);
    return Problem(spec);
  };
  for (const char* id : {"", ".x", "a/b", "a b", "reeve", "fulcrum"}) {
    EXPECT_THAT(with([&](auto& spec) { spec.set_id(id); }), StartsWith("spec.id: ")) << id;
  }
  EXPECT_THAT(with([](auto& spec) { spec.clear_owner(); }), StartsWith("spec.owner: "));
  for (const char* file : {"", "true", "sha256:12", "sha256:", "builtin:", "builtin:flock",
                           "builtin:launch", "md5:00"}) {
    EXPECT_THAT(with([&](auto& spec) { spec.set_file(file); }), StartsWith("spec.file: ")) << file;
  }
  for (const char* horde : {"A", "a b", "a/b", "*"}) {
    EXPECT_THAT(with([&](auto& spec) { spec.set_horde(horde); }), StartsWith("spec.horde: "))
        << "no single plugin may keep reeve from taking the doors of all";
  }
  EXPECT_THAT(with([](auto& spec) { spec.set_api(std::string(64, 'a')); }),
              StartsWith("spec.api: "));
  EXPECT_THAT(with([](auto& spec) { spec.set_inst(std::string(64, 'a')); }),
              StartsWith("spec.inst: "));
  for (const char* env : {"", "A", "=b", "RADIX_STATE=/tmp", "RADIX_X="}) {
    EXPECT_THAT(with([&](auto& spec) { spec.add_env(env); }), StartsWith("spec.env: ")) << env;
  }
  EXPECT_THAT(with([](auto& spec) { spec.add_args(std::string(9000, 'x')); }),
              StartsWith("spec: "));
  EXPECT_THAT(with([](auto& spec) { spec.add_args(std::string("a\0b", 3)); }),
              StartsWith("spec: "));
}

TEST(PicketCodecTest, ChecksEpochAndGrace) {
  EXPECT_FALSE(DecodeEpoch(-1).ok());
  EXPECT_EQ(*DecodeEpoch(7), 7U);
  EXPECT_EQ(*DecodeGrace(0), 15s);
  EXPECT_EQ(*DecodeGrace(600), 600s);
  EXPECT_FALSE(DecodeGrace(601).ok());
  EXPECT_FALSE(DecodeGrace(-1).ok());
}

TEST(PicketCodecTest, EveryStateHasOneOfItsOwn) {
  const auto state_of = [](PluginState state) {
    return EncodePlugin({.spec = *DecodeSpec(Good()), .state = state}, Instant{1h}, {}).state();
  };
  EXPECT_EQ(state_of(PluginState::kStarting), v1::PLUGIN_STATE_STARTING);
  EXPECT_EQ(state_of(PluginState::kRunning), v1::PLUGIN_STATE_RUNNING);
  EXPECT_EQ(state_of(PluginState::kBackoff), v1::PLUGIN_STATE_BACKOFF);
  EXPECT_EQ(state_of(PluginState::kStopping), v1::PLUGIN_STATE_STOPPING);
  EXPECT_EQ(state_of(PluginState::kStopped), v1::PLUGIN_STATE_STOPPED);
}

TEST(SupervisorCodecTest, TheTagOfAProcessTellsALaterPicketWhatItIs) {
  const auto spec = *DecodeSpec(Good());
  const auto spawn = EncodeSpawn(spec, {"x"}, {});
  const Instant now{1h};
  const auto news = DecodeNews({{"child",
                                 {{"id", spec.id},
                                  {"pid", 10},
                                  {"tag", spawn.at("spawn").at("tag")},
                                  {"age_ms", 1000},
                                  {"terminated", false}}}},
                               now);
  ASSERT_TRUE(news.ok()) << news.status();
  const auto& child = std::get<ChildNews>(*news);
  ASSERT_TRUE(child.left.has_value());
  EXPECT_EQ(child.left->spec, spec);
  EXPECT_EQ(child.left->started_at, now - 1s);
}

TEST(SupervisorCodecTest, SurvivesWhatMakesNoSense) {
  for (const char* text :
       {"[]", "7", "{}", R"({"unknown":1})", R"({"child":{}})", R"({"child":7})",
        R"({"want":[{"service":7}]})", R"({"exited":{"id":"a"}})", R"({"resume":true})"}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(DecodeNews(nlohmann::json::parse(text), Instant{1h}).status()))
        << text;
  }
  const auto foreign =
      DecodeNews(nlohmann::json::parse(
                     R"({"child":{"id":"a","pid":1,"tag":"!","age_ms":0,"terminated":false}})"),
                 Instant{1h});
  ASSERT_TRUE(foreign.ok());
  EXPECT_FALSE(std::get<ChildNews>(*foreign).left.has_value());
}

}  // namespace
}  // namespace radix::picket
