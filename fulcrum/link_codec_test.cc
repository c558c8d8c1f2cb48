#include "fulcrum/link_codec.h"

#include <gtest/gtest.h>

#include <string>

namespace radix::fulcrum {
namespace {

using Json = nlohmann::json;

absl::StatusOr<Request> Decode(const std::string& service, const std::string& text) {
  return DecodeRequest(service, Json::parse(text, nullptr, false));
}

TEST(LinkCodecTest, ReadsWhatServicesSay) {
  EXPECT_TRUE(std::holds_alternative<Ready>(*Decode("reeve", R"({"ready":true})")));
  EXPECT_TRUE(std::holds_alternative<Alive>(*Decode("", R"({"alive":true})")));
  EXPECT_TRUE(std::holds_alternative<Follow>(*Decode("flock", R"({"follow":true})")));
  EXPECT_EQ(std::get<Lead>(*Decode("flock", R"({"lead":7})")).epoch, 7U);
  EXPECT_EQ(std::get<Fence>(*Decode("picket", R"({"fence":7})")).epoch, 7U);
  EXPECT_EQ(std::get<Kill>(*Decode("picket", R"({"kill":{"id":"a","signal":15}})")).signal, 15);
  const auto spawn = std::get<Spawn>(
      *Decode("picket", R"({"spawn":{"id":"a","argv":["x","y"],"env":["A=b"],"tag":"t"}})"));
  EXPECT_EQ(spawn.id, "a");
  EXPECT_EQ(spawn.argv.size(), 2U);
  EXPECT_EQ(spawn.env.at(0), "A=b");
  EXPECT_EQ(spawn.tag, "t");
  EXPECT_EQ(spawn.uid, 0U);
  const auto other = std::get<Spawn>(
      *Decode("picket", R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"t","uid":61184}})"));
  EXPECT_EQ(other.uid, 61184U);
}

TEST(LinkCodecTest, RefusesWhatMakesNoSense) {
  for (const char* text :
       {"x",
        "[]",
        "{}",
        "7",
        R"({"lead":1,"ready":true})",
        R"({"unknown":1})",
        R"({"spawn":[]})",
        R"({"spawn":{}})",
        R"({"spawn":{"id":"a","argv":[],"env":[],"tag":""}})",
        R"({"spawn":{"id":"../a","argv":["x"],"env":[],"tag":""}})",
        R"({"spawn":{"id":"","argv":["x"],"env":[],"tag":""}})",
        R"({"spawn":{"id":"a","argv":["x",1],"env":[],"tag":""}})",
        R"({"spawn":{"id":"a","argv":["x\u0000y"],"env":[],"tag":""}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":7}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"","uid":0}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"","uid":1000}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"","uid":-1}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"","uid":4294967296}})",
        R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":"","uid":"x"}})",
        R"({"kill":{"id":"a"}})",
        R"({"kill":{"id":"a","signal":0}})",
        R"({"kill":{"id":"a","signal":1000}})",
        R"({"kill":{"id":"a","signal":-9}})",
        R"({"kill":"a"})",
        R"({"fence":"x"})",
        R"({"fence":-1})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Decode("picket", text).status())) << text;
  }
  for (const char* text :
       {R"({"lead":0})", R"({"lead":-1})", R"({"lead":1.5})", R"({"lead":"1"})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Decode("flock", text).status())) << text;
  }
}

TEST(LinkCodecTest, HearsOnlyFromFlockWhoLeadsAndOnlyFromPicketWhatToStart) {
  EXPECT_TRUE(absl::IsPermissionDenied(Decode("reeve", R"({"lead":7})").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Decode("picket", R"({"follow":true})").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(
      Decode("flock", R"({"spawn":{"id":"a","argv":["x"],"env":[],"tag":""}})").status()));
  EXPECT_TRUE(
      absl::IsPermissionDenied(Decode("reeve", R"({"kill":{"id":"a","signal":9}})").status()));
}

}  // namespace
}  // namespace radix::fulcrum
