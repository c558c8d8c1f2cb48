#include "services/proctor/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/proctor/conform.h"
#include "services/proctor/doneness.h"
#include "services/proctor/roster.h"

namespace radix::proctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

ServiceSpec Galumph(const std::string& inst) {
  return {.name = "galumph",
          .api = "galumph2",
          .inst = inst,
          .file = "sha256:" + inst,
          .horde = "default"};
}

PlacedService Placed(const std::string& inst, std::map<std::string, std::int64_t> nodes) {
  PlacedService service{.manifest = "g", .spec = Galumph(inst), .nodes = std::move(nodes)};
  for (const auto& [node, count] : service.nodes) service.want += count;
  return service;
}

Plugin Runs(const std::string& inst, bool serving = true, std::int64_t ordinal = 0) {
  return {.spec = InstanceOf("g", Galumph(inst), ordinal), .serving = serving};
}

std::string IdOf(const std::string& inst, std::int64_t ordinal = 0) {
  return InstanceOf("g", Galumph(inst), ordinal).id;
}

Nodes ThreeNodes() {
  Nodes nodes;
  for (const char* name : {"n1", "n2", "n3"}) nodes[name].connected = true;
  return nodes;
}

std::vector<std::string> RunIds(const Assignment& assignment) {
  std::vector<std::string> ids;
  for (const PluginSpec& spec : assignment.run) ids.push_back(spec.id);
  return ids;
}

TEST(Instance, AnIdChangesWithTheVersionAndFitsPicket) {
  EXPECT_NE(IdOf("galumph2_3"), IdOf("galumph2_4"));
  EXPECT_NE(IdOf("galumph2_3", 0), IdOf("galumph2_3", 1));
  EXPECT_EQ(ServiceOf(IdOf("galumph2_3")), "galumph");
  ServiceSpec longest = Galumph("x");
  longest.name = std::string(32, 's');
  EXPECT_LE(InstanceOf(std::string(63, 'm'), longest, 999999).id.size(), 63U);
  ServiceSpec other = Galumph("galumph2_3");
  other.args = {"--x"};
  EXPECT_NE(InstanceOf("g", other, 0).id, IdOf("galumph2_3"));
}

TEST(Instance, PresentCountsOldAndNewOfOnePlaceOnce) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3"), Runs("galumph2_4")};
  nodes["n2"].plugins = {Runs("galumph2_3", true, 0), Runs("galumph2_3", true, 1)};
  nodes["n3"].plugins = {Runs("galumph2_3")};
  nodes["n3"].plugins[0].state = PluginState::kStopping;
  EXPECT_THAT(PresentInstances("g", "galumph", nodes), ElementsAre(Pair("n1", 1), Pair("n2", 2)));
  EXPECT_THAT(PresentInstances("h", "galumph", nodes), IsEmpty());
}

TEST(Instance, NoNodeGetsMoreThanItCanRunAndWhoAsksForLittleGetsIt) {
  std::vector<PlacedService> services = {Placed("galumph2_3", {{"n1", 700}, {"n2", 500}}),
                                         Placed("galumph2_4", {{"n1", 10}, {"n2", 1}, {"n3", 1}}),
                                         Placed("galumph2_5", {{"n1", 490}})};
  LimitPerNode(services);
  EXPECT_THAT(services[0].nodes, ElementsAre(Pair("n2", 499)));
  EXPECT_EQ(services[0].want, 1200) << "what is asked for stays";
  EXPECT_EQ(services[0].problem, "a node runs at most 500 instances, of all manifests together");
  EXPECT_THAT(services[1].nodes, ElementsAre(Pair("n1", 10), Pair("n2", 1), Pair("n3", 1)));
  EXPECT_EQ(services[1].problem, "");
  EXPECT_THAT(services[2].nodes, ElementsAre(Pair("n1", 490)));
}

TEST(Plan, StartsWhatLacks) {
  auto plan = Plan({Placed("galumph2_3", {{"n1", 1}, {"n3", 2}})}, ThreeNodes());
  EXPECT_THAT(RunIds(plan["n1"]), ElementsAre(IdOf("galumph2_3")));
  EXPECT_THAT(RunIds(plan["n2"]), IsEmpty());
  EXPECT_THAT(RunIds(plan["n3"]),
              UnorderedElementsAre(IdOf("galumph2_3", 0), IdOf("galumph2_3", 1)));
}

TEST(Plan, AnOldVersionStaysUntilTheNewOneServes) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3")};
  nodes["n2"].plugins = {Runs("galumph2_3")};
  const std::vector<PlacedService> services = {Placed("galumph2_4", {{"n1", 1}, {"n2", 1}})};
  auto plan = Plan(services, nodes);
  EXPECT_THAT(plan["n1"].keep_ids, ElementsAre(IdOf("galumph2_3")));
  EXPECT_THAT(plan["n2"].keep_ids, ElementsAre(IdOf("galumph2_3")));

  nodes["n1"].plugins.push_back(Runs("galumph2_4", /*serving=*/false));
  plan = Plan(services, nodes);
  EXPECT_EQ(plan["n1"].keep_ids.size() + plan["n2"].keep_ids.size(), 2U)
      << "running is not serving";

  nodes["n1"].plugins.back().serving = true;
  plan = Plan(services, nodes);
  EXPECT_EQ(plan["n1"].keep_ids.size() + plan["n2"].keep_ids.size(), 1U);

  nodes["n2"].plugins.push_back(Runs("galumph2_4"));
  plan = Plan(services, nodes);
  EXPECT_EQ(plan["n1"].keep_ids.size() + plan["n2"].keep_ids.size(), 0U);
}

TEST(Plan, AMovedInstanceStaysUntilItsSuccessorServes) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3")};
  const std::vector<PlacedService> services = {Placed("galumph2_3", {{"n2", 1}})};
  EXPECT_EQ(Plan(services, nodes)["n1"].keep_ids.size(), 1U);
  nodes["n2"].plugins = {Runs("galumph2_3")};
  EXPECT_EQ(Plan(services, nodes)["n1"].keep_ids.size(), 0U);
}

TEST(Plan, WhatServesIsKeptBeforeWhatOnlyRunsAndWhatEndedNotAtAll) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3", /*serving=*/false)};
  nodes["n2"].plugins = {Runs("galumph2_3")};
  auto plan = Plan({Placed("galumph2_4", {{"n3", 1}})}, nodes);
  EXPECT_EQ(plan["n1"].keep_ids.size(), 0U);
  EXPECT_EQ(plan["n2"].keep_ids.size(), 1U);
  nodes["n2"].plugins[0].state = PluginState::kBackoff;
  plan = Plan({Placed("galumph2_4", {{"n3", 1}})}, nodes);
  EXPECT_EQ(plan["n1"].keep_ids.size(), 1U);
  EXPECT_EQ(plan["n2"].keep_ids.size(), 0U);
}

TEST(Plan, FewerAreWantedSoTheRestIsNotKept) {
  Nodes nodes = ThreeNodes();
  for (auto& [name, node] : nodes) node.plugins = {Runs("galumph2_3")};
  auto plan = Plan({Placed("galumph2_3", {{"n2", 1}})}, nodes);
  EXPECT_THAT(plan["n1"].keep_ids, IsEmpty());
  plan = Plan({Placed("galumph2_3", {})}, nodes);
  EXPECT_THAT(plan["n2"].keep_ids, IsEmpty());
  EXPECT_THAT(Plan({}, nodes)["n2"].keep_ids, IsEmpty());
}

TEST(Plan, ALostNodeGetsNoAssignment) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].connected = false;
  nodes["n1"].plugins = {Runs("galumph2_3")};
  auto plan = Plan({Placed("galumph2_3", {{"n1", 1}})}, nodes);
  EXPECT_EQ(plan.count("n1"), 0U);
  EXPECT_THAT(RunIds(plan["n2"]), IsEmpty());
}

TEST(Conform, WithoutAnAssignmentOnlyTheBuiltInsAreTouched) {
  const PluginSpec pastiche{.id = "pastiche", .owner = "dean", .file = "builtin:pastiche"};
  const std::vector<Plugin> plugins = {Runs("galumph2_3")};
  EXPECT_THAT(Conform({pastiche}, std::nullopt, plugins),
              ElementsAre(Order{Order::Kind::kStart, pastiche}));
  EXPECT_THAT(Conform({}, std::nullopt, plugins), IsEmpty());
}

TEST(Conform, StartsComeBeforeStopsAndOthersPluginsStay) {
  std::vector<Plugin> plugins = {Runs("galumph2_3"),
                                 {.spec = {.id = "dean", .owner = "fulcrum"}},
                                 {.spec = {.id = "x", .owner = "who", .file = "builtin:x"}},
                                 {.spec = {.id = "pastiche", .owner = "dean"}}};
  Assignment assignment{.run = {InstanceOf("g", Galumph("galumph2_4"), 0)}};
  EXPECT_THAT(Conform({}, assignment, plugins),
              ElementsAre(Order{Order::Kind::kStart, assignment.run[0]},
                          Order{Order::Kind::kStop, plugins[0].spec}));
  assignment.keep_ids = {plugins[0].spec.id};
  EXPECT_THAT(Conform({}, assignment, plugins),
              ElementsAre(Order{Order::Kind::kStart, assignment.run[0]}));
  plugins.push_back({.spec = assignment.run[0], .state = PluginState::kBackoff});
  EXPECT_THAT(Conform({}, assignment, plugins), IsEmpty());
  plugins.back().state = PluginState::kStarting;
  EXPECT_THAT(Conform({}, assignment, plugins), IsEmpty());
  EXPECT_THAT(Conform({}, Assignment{.keep_ids = {plugins[0].spec.id}}, plugins),
              ElementsAre(Order{Order::Kind::kStop, plugins.back().spec}));
}

TEST(Conform, AnotherSpecificationUnderAWantedIdIsStoppedFirst) {
  const PluginSpec wanted{.id = "x", .owner = "g", .file = "new"};
  Plugin old{.spec = {.id = "x", .owner = "g", .file = "old"}};
  const Assignment assignment{.run = {wanted}};
  EXPECT_THAT(Conform({}, assignment, {old}), ElementsAre(Order{Order::Kind::kStop, old.spec}));
  old.state = PluginState::kStopping;
  EXPECT_THAT(Conform({}, assignment, {old}), IsEmpty());
  old.state = PluginState::kStopped;
  EXPECT_THAT(Conform({}, assignment, {old}), ElementsAre(Order{Order::Kind::kStart, wanted}));
}

TEST(Measure, IsOneOnlyWhenAllServesAndNothingElseRuns) {
  Nodes nodes = ThreeNodes();
  const std::vector<PlacedService> services = {Placed("galumph2_3", {{"n1", 1}, {"n2", 1}})};
  EXPECT_EQ(Measure({}, nodes).value(), 1.0);
  EXPECT_EQ(Measure(services, nodes).value(), 0.0);
  nodes["n1"].plugins = {Runs("galumph2_3")};
  nodes["n2"].plugins = {Runs("galumph2_3", /*serving=*/false)};
  Doneness half = Measure(services, nodes);
  EXPECT_EQ(half.value(), 0.5);
  EXPECT_THAT(half.unmet,
              ElementsAre(UnmetItem{"g", "galumph", "n2", "runs but does not serve yet"}));
  nodes["n2"].plugins[0].serving = true;
  EXPECT_EQ(Measure(services, nodes).value(), 1.0);
  nodes["n3"].plugins = {Runs("galumph2_2")};
  Doneness more = Measure(services, nodes);
  EXPECT_LT(more.value(), 1.0);
  EXPECT_THAT(more.unmet, ElementsAre(UnmetItem{"g", "galumph", "n3",
                                                "galumph2_2 still runs and is to be stopped"}));
}

TEST(Measure, WhatIsBeingStartedIsNotSaidToHaveEnded) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3", false)};
  nodes["n1"].plugins[0].state = PluginState::kStarting;
  const Doneness doneness = Measure({Placed("galumph2_3", {{"n1", 1}})}, nodes);
  EXPECT_EQ(doneness.value(), 0.0);
  ASSERT_EQ(doneness.unmet.size(), 1U);
  EXPECT_THAT(doneness.unmet[0].reason, HasSubstr("is being started"));
}

TEST(Measure, SaysWhatBlocks) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3", false)};
  nodes["n1"].plugins[0].state = PluginState::kBackoff;
  nodes["n1"].plugins[0].last_exit = "signal 11";
  nodes["n2"].errors = {IdOf("galumph2_3") + ": NOT_FOUND: no peer has it"};
  nodes["n3"].connected = false;
  PlacedService service = Placed("galumph2_3", {{"n1", 1}, {"n2", 1}, {"n3", 1}});
  service.want = 5;
  service.problem = "no node is in the set";
  const Doneness doneness = Measure({service}, nodes);
  ASSERT_EQ(doneness.unmet.size(), 4U);
  EXPECT_THAT(doneness.unmet[0].reason, HasSubstr("signal 11"));
  EXPECT_THAT(doneness.unmet[1].reason, HasSubstr("no peer has it"));
  EXPECT_THAT(doneness.unmet[2].reason, HasSubstr("not connected"));
  EXPECT_EQ(doneness.unmet[3].reason, "2 of 5 not placed: no node is in the set");
  EXPECT_EQ(doneness.total, 5);
}

TEST(Measure, SaysWhatAProgramRegistersInsteadOfWhatTheManifestSays) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {Runs("galumph2_3", /*serving=*/false)};
  Plugin& plugin = nodes["n1"].plugins[0];
  const auto reason = [&](const Registration& registered) {
    plugin.registered = registered;
    return Measure({Placed("galumph2_3", {{"n1", 1}})}, nodes).unmet.at(0).reason;
  };
  EXPECT_EQ(reason({"default", "galumph2", "galumph2_4"}),
            "registers galumph2_4, the manifest says galumph2_3");
  EXPECT_EQ(reason({"default", "galumph3", "galumph3_0"}),
            "registers api galumph3 galumph3_0, the manifest says api galumph2 galumph2_3");
  EXPECT_EQ(reason({"other", "galumph2", "galumph2_3"}),
            "registers horde other, the manifest says horde default");
  plugin.state = PluginState::kBackoff;
  EXPECT_THAT(reason({"default", "galumph2", "galumph2_4"}), HasSubstr("ended"));
}

TEST(Measure, TheBuiltInPartIsCountedByItself) {
  Nodes nodes = ThreeNodes();
  nodes["n1"].plugins = {{.spec = {.id = "pastiche", .owner = "dean"}, .serving = true},
                         {.spec = {.id = "proctor", .owner = "fulcrum"}, .serving = false}};
  const Doneness doneness = Measure({Placed("galumph2_3", {{"n1", 1}})}, nodes);
  EXPECT_EQ(doneness.builtin_value(), 1.0);
  EXPECT_EQ(doneness.value(), 0.5);
  nodes["n1"].plugins[0].serving = false;
  EXPECT_EQ(Measure({}, nodes).builtin_value(), 0.0);
}

constexpr Instant kStart = Instant() + 1h;

TEST(Roster, SettlesWhenAllThatAreAliveAreThereOrAfterAWhile) {
  Roster roster(5s, 5s);
  roster.Connect("a1", "n1", {}, {}, kStart);
  roster.Expect({"a1", "a2"});
  EXPECT_FALSE(roster.IsSettled(kStart + 1h)) << "it has not begun";
  roster.Begin(kStart);
  EXPECT_FALSE(roster.IsSettled(kStart + 4s));
  roster.Connect("a2", "n2", {}, {}, kStart + 4s);
  EXPECT_TRUE(roster.IsSettled(kStart + 4s));
  roster.Disconnect("a2", kStart + 4s);
  EXPECT_TRUE(roster.IsSettled(kStart + 4s)) << "once settled it stays so";

  Roster lonely(9s, 5s);
  lonely.Begin(kStart);
  EXPECT_EQ(lonely.NextTimeout(), kStart + 5s);
  EXPECT_FALSE(lonely.IsSettled(kStart + 4s));
  EXPECT_TRUE(lonely.IsSettled(kStart + 5s));
}

TEST(Roster, ALostNodeCountsForTheGraceAndThenNoMore) {
  Roster roster(5s, 5s);
  roster.Connect("a1", "n1", {"KV"}, {Runs("galumph2_3")}, kStart);
  roster.Disconnect("a1", kStart + 1s);
  Nodes nodes = roster.View(kStart + 5s);
  ASSERT_EQ(nodes.count("n1"), 1U);
  EXPECT_FALSE(nodes["n1"].connected);
  EXPECT_EQ(nodes["n1"].plugins.size(), 1U);
  EXPECT_EQ(roster.NextTimeout(), kStart + 6s);
  EXPECT_THAT(roster.View(kStart + 6s), IsEmpty());
}

TEST(Roster, OfTwoNodesWithOneNameOnlyTheFirstCounts) {
  Roster roster(5s, 5s);
  roster.Connect("a2", "n1", {}, {}, kStart);
  roster.Connect("a1", "n1", {}, {}, kStart);
  roster.Report("a1", {Runs("galumph2_3")}, {});
  EXPECT_EQ(roster.NameAt("a2"), "n1");
  EXPECT_EQ(roster.NameAt("a1"), "");
  EXPECT_THAT(roster.View(kStart)["n1"].plugins, IsEmpty());
  roster.Connect("a2", "n1", {}, {}, kStart + 1s);
  EXPECT_EQ(roster.NameAt("a2"), "n1") << "coming again does not lose the name";
  roster.Disconnect("a2", kStart + 1s);
  roster.View(kStart + 7s);
  EXPECT_EQ(roster.NameAt("a1"), "n1");
}

// A new proctor meets the nodes in any order: a stranger that comes first takes no name from the
// node that held it.
TEST(Roster, ANodeThatRunsWhatManifestsAskForKeepsItsNameUnderANewProctor) {
  Roster roster(5s, 5s);
  roster.Expect({"a1", "a2", "a3"});
  roster.Begin(kStart);
  roster.Connect("a2", "n1", {}, {}, kStart);
  roster.Connect("a1", "n1", {}, {Runs("galumph2_3")}, kStart);
  EXPECT_EQ(roster.NameAt("a1"), "n1");
  EXPECT_EQ(roster.NameAt("a2"), "");
  EXPECT_THAT(roster.View(kStart)["n1"].plugins, SizeIs(1));
  roster.Connect("a3", "n3", {}, {}, kStart);
  ASSERT_TRUE(roster.IsSettled(kStart));
  roster.Connect("a4", "n3", {}, {Runs("galumph2_3")}, kStart);
  EXPECT_EQ(roster.NameAt("a3"), "n3") << "plans were made with it";
}

TEST(Doneness, AnAbsurdNumberIsMeasuredAsFastAsAnyOther) {
  PlacedService service = Placed("galumph2_3", {});
  service.want = std::int64_t{1'000'000'000} * 1'000'000'000;
  service.problem = "more than 1000000 instances are asked for";
  const Doneness doneness = Measure(std::vector<PlacedService>(20, service), {});
  EXPECT_EQ(doneness.value(), 0.0);
  EXPECT_GT(doneness.total, 0);
  EXPECT_EQ(doneness.unmet.size(), 20U);
}

}  // namespace
}  // namespace radix::proctor
