#include "services/proctor/serving_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace radix::proctor {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

registry::v1::Delta Snapshot() {
  registry::v1::Delta delta;
  delta.set_snapshot(true);
  return delta;
}

registry::v1::Instance& Add(registry::v1::Delta& delta, const std::string& inst, int port,
                            int pid) {
  registry::v1::Instance& instance = *delta.add_changes()->mutable_instance();
  instance.set_horde("default");
  instance.set_api("galumph2");
  instance.set_inst(inst);
  instance.set_net_id("127.0.0.1:" + std::to_string(port));
  instance.set_status(registry::v1::STATUS_SERVING);
  instance.set_pid(pid);
  return instance;
}

picket::v1::Plugin Runs(const std::string& id, const std::string& inst, int pid,
                        std::int64_t since = 0) {
  picket::v1::Plugin plugin;
  plugin.mutable_spec()->set_id(id);
  plugin.mutable_spec()->set_horde("default");
  plugin.mutable_spec()->set_api("galumph2");
  plugin.mutable_spec()->set_inst(inst);
  plugin.set_state(picket::v1::PLUGIN_STATE_RUNNING);
  plugin.set_pid(pid);
  plugin.mutable_start_time()->set_seconds(since);
  return plugin;
}

TEST(ServingTable, AnInstanceBelongsToThePluginOfItsProcess) {
  ServingTable table;
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_3", 1, 11);
  table.Apply(delta);
  const Served served =
      table.Compare({Runs("older", "galumph2_3", 10, 1), Runs("newer", "galumph2_3", 11, 2)});
  EXPECT_THAT(served.ids, ElementsAre("newer"));
  EXPECT_THAT(served.otherwise, IsEmpty());
}

TEST(ServingTable, APluginThatRegistersAsAnotherIsFoundOut) {
  ServingTable table;
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_4", 1, 11);
  Add(delta, "galumph2_3", 2, 0).set_api("galumph9");  // of nobody
  table.Apply(delta);
  const std::vector<picket::v1::Plugin> plugins = {Runs("a", "galumph2_3", 11),
                                                   Runs("b", "galumph2_4", 12)};
  const Served served = table.Compare(plugins);
  EXPECT_THAT(served.ids, IsEmpty()) << "what a registers is not what b was to register";
  EXPECT_THAT(served.otherwise,
              ElementsAre(Pair("a", Registration{"default", "galumph2", "galumph2_4"})));

  registry::v1::Delta more;
  Add(more, "galumph2_3", 3, 11);
  table.Apply(more);
  EXPECT_THAT(table.Compare(plugins).ids, ElementsAre("a")) << "it may serve more than it was to";
  EXPECT_THAT(table.Compare(plugins).otherwise, IsEmpty());
}

TEST(ServingTable, APluginThatItsDoorRefusesToRegisterIsFoundOut) {
  ServingTable table;
  picket::v1::Plugin refused = Runs("a", "galumph2_3", 11);
  refused.mutable_refused()->set_horde("default");
  refused.mutable_refused()->set_api("galumph2");
  refused.mutable_refused()->set_inst("galumph2_4");
  EXPECT_THAT(table.Compare({refused}).otherwise,
              ElementsAre(Pair("a", Registration{"default", "galumph2", "galumph2_4"})));
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_3", 1, 11);
  table.Apply(delta);
  EXPECT_THAT(table.Compare({refused}).otherwise, IsEmpty()) << "it serves what it is to";
}

TEST(ServingTable, AChildOfAPluginIsThePlugin) {
  ServingTable table([](int pid) { return pid == 99 ? 11 : -1; });
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_3", 1, 99);
  table.Apply(delta);
  EXPECT_THAT(table.Compare({Runs("a", "galumph2_3", 11), Runs("b", "galumph2_3", 12)}).ids,
              ElementsAre("a"));
}

TEST(ServingTable, WithoutAProcessThoseThatRunLongestAreTakenForIt) {
  ServingTable table;
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_3", 1, 0);
  Add(delta, "galumph2_3", 2, 13);
  table.Apply(delta);
  const Served served =
      table.Compare({Runs("young", "galumph2_3", 11, 3), Runs("old", "galumph2_3", 12, 1),
                     Runs("known", "galumph2_3", 13, 2)});
  EXPECT_THAT(served.ids, ElementsAre("known", "old"));
}

TEST(ServingTable, WhatServesNoMoreIsForgotten) {
  ServingTable table;
  registry::v1::Delta delta = Snapshot();
  Add(delta, "galumph2_3", 1, 11);
  table.Apply(delta);
  EXPECT_THAT(table.Compare({Runs("a", "galumph2_3", 11)}).ids, ElementsAre("a"));

  registry::v1::Delta changed;  // another version takes over the address, then the old one is dead
  Add(changed, "galumph2_4", 1, 12);
  Add(changed, "galumph2_3", 1, 11).set_status(registry::v1::STATUS_DEAD);
  table.Apply(changed);
  EXPECT_THAT(table.Compare({Runs("a", "galumph2_4", 12)}).ids, ElementsAre("a"));

  registry::v1::Delta drains;
  Add(drains, "galumph2_4", 1, 12).set_status(registry::v1::STATUS_DRAINING);
  table.Apply(drains);
  EXPECT_THAT(table.Compare({Runs("a", "galumph2_4", 12)}).ids, IsEmpty());
}

}  // namespace
}  // namespace radix::proctor
