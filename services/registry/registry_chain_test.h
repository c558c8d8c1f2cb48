// Nodes with the registry's services, in one process, for tests.

#pragma once

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "clients/cpp/call.h"
#include "clients/cpp/heartbeat.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/heartbeater/heartbeater_service.h"
#include "services/muster/muster_service.h"
#include "services/reeve/reeve_service.h"
#include "services/registry/fake_flock.h"
#include "services/registry/group_driver.h"
#include "services/steward/steward_service.h"
#include "tests/wait.h"

namespace radix::registry {

// One node's flock, heartbeater and reeve.
struct TestNode {
  TestNode(const std::filesystem::path& folder, const IpAddress& address, int number,
           std::uint16_t steward_port)
      : node{.name = "n" + std::to_string(number),
             .address = address,
             .state = folder / ("n" + std::to_string(number))},
        flock(node),
        heartbeater(node, "lab"),
        heartbeater_server(*confab::Server::Start(
            node, {.socket = "heartbeater"},
            {{&heartbeater, heartbeater::v1::HeartbeaterService::service_full_name()}})),
        pairing(node, steward_port, static_cast<std::uint64_t>(number)),
        reeve(node, steward_port, trust, pairing),
        reeve_server(
            *confab::Server::Start(node, {.socket = "reeve", .port = 0},
                                   {{&reeve, reeve::v1::ReeveService::service_full_name()}})),
        stub(reeve::v1::ReeveService::NewStub(confab::DialLocal(node, "reeve"))) {}

  ~TestNode() {
    beats.clear();
    reeve.EndStreams();
    heartbeater.EndStreams();
    reeve_server->Shutdown(1s);
    heartbeater_server->Shutdown(1s);
  }

  void Beat(const std::string& inst, int port) {
    heartbeater::v1::BeatRequest beat;
    beat.set_net_id(node.address.ToString() + ":" + std::to_string(port));
    beat.set_status(v1::STATUS_SERVING);
    beat.set_api("ntp2");
    beat.set_inst(inst);
    beats.push_back(std::make_unique<Heartbeat>(Network{node}, beat));
  }

  grpc::Status Lookup(const v1::Selector& selector, reeve::v1::LookupResponse& response) {
    reeve::v1::LookupRequest request;
    *request.mutable_selector() = selector;
    return Call(*stub->async(), &reeve::v1::ReeveService::StubInterface::async_interface::Lookup,
                request, response);
  }

  // What a lookup of ntp2 finds, as `node/inst`, best first.
  std::vector<std::string> Found() {
    v1::Selector selector;
    selector.set_api("ntp2");
    reeve::v1::LookupResponse response;
    std::vector<std::string> found;
    if (!Lookup(selector, response).ok()) return found;
    for (const auto& each : response.instances()) found.push_back(each.node() + "/" + each.inst());
    return found;
  }

  reeve::v1::GetStateResponse State() {
    reeve::v1::GetStateResponse state;
    Call(*stub->async(), &reeve::v1::ReeveService::StubInterface::async_interface::GetState,
         reeve::v1::GetStateRequest(), state);
    return state;
  }

  confab::Node node;
  FakeFlock flock;
  heartbeater::HeartbeaterServiceImpl heartbeater;
  std::unique_ptr<confab::Server> heartbeater_server;
  trust::TrustServiceImpl trust;
  trust::PairingServiceImpl pairing;
  reeve::ReeveServiceImpl reeve;
  std::unique_ptr<confab::Server> reeve_server;
  std::unique_ptr<reeve::v1::ReeveService::Stub> stub;
  std::vector<std::unique_ptr<Heartbeat>> beats;
};

// The steward of one epoch, on a node that exists.
struct TestSteward {
  TestSteward(const Charter& charter, const confab::Node& node, std::uint64_t epoch,
              std::uint16_t port)
      : service(charter, epoch, [this] { over.set_value(); }),
        muster(node, [this] { return service.CheckLease(); }),
        group(node, [this](const Group& now) { service.HandleGroup(now); }) {
    auto started =
        confab::Server::Start(node, {.port = port},
                              {{&service, steward::v1::StewardService::service_full_name()},
                               {&muster, muster::v1::MusterService::service_full_name()}});
    EXPECT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
  }
  ~TestSteward() {
    service.EndStreams();
    server->Shutdown(0s);
  }

  std::promise<void> over;
  steward::StewardServiceImpl service;
  muster::MusterServiceImpl muster;
  GroupLink group;
  std::unique_ptr<confab::Server> server;
};

// Nodes on addresses that no other test uses now, in one process.
class RegistryChainTest : public testing::Test {
 protected:
  static constexpr int kNodes = 3;

  void SetUp() override {
    std::string folder = testing::TempDir() + "regXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    const std::uint64_t random = confab::RandomNumber();
    subnet_ = "127." + std::to_string(90 + random % 100) + "." +
              std::to_string((random >> 8) % 250) + ".";
    charter_ = *Charter::Create({.bloc = "lab",
                                 .ranges = {subnet_ + "1-" + subnet_ + "9"},
                                 .port = 7117,
                                 .key_file = "none"});
    // Nothing else listens on these addresses, and the system gives nobody such a port who asks for
    // a free one.
    steward_port_ = static_cast<std::uint16_t>(10000 + (random >> 16) % 20000);
    for (int i = 1; i <= kNodes; ++i) {
      nodes_.push_back(std::make_unique<TestNode>(folder_, Address(i), i, steward_port_));
    }
  }

  void TearDown() override {
    steward_.reset();
    nodes_.clear();
    std::filesystem::remove_all(folder_);
  }

  IpAddress Address(int number) const {
    return *IpAddress::Parse(subnet_ + std::to_string(number));
  }

  TestNode& At(int number) { return *nodes_[static_cast<std::size_t>(number - 1)]; }

  // Has every node's flock say that node `leader` is sealed under `epoch`; 0 for nobody. But those
  // that are `deaf` do not hear of it.
  void Lead(int leader, std::uint64_t epoch, std::set<int> dead = {}, std::set<int> deaf = {}) {
    for (int i = 1; i <= kNodes; ++i) {
      if (deaf.contains(i)) continue;
      flock::v1::WatchGroupResponse group;
      group.set_node(At(i).node.name);
      group.set_turned_away(turned_away_.contains(i));
      if (leader != 0) {
        group.set_epoch(static_cast<std::int64_t>(epoch));
        group.set_leader_address(At(leader).node.address.ToString());
        if (i == leader) *group.mutable_lease_remaining_duration() = lease_;
      }
      for (int j = 1; j <= kNodes; ++j) {
        *group.add_members() = FakeMember(At(j).node, !dead.contains(j));
      }
      At(i).flock.Say(group);
    }
  }

  void StartSteward(int leader, std::uint64_t epoch, std::set<int> deaf = {}) {
    steward_.reset();
    Lead(leader, epoch, {}, std::move(deaf));
    steward_ = std::make_unique<TestSteward>(charter_, At(leader).node, epoch, steward_port_);
  }

  bool AllConnected(std::uint64_t epoch) {
    for (int i = 1; i <= kNodes; ++i) {
      const auto state = At(i).State();
      if (!state.steward_connected() || state.epoch() != static_cast<std::int64_t>(epoch)) {
        return false;
      }
    }
    return true;
  }

  // Whether all nodes agree, on something that is not nothing.
  bool OneRegistry() {
    const auto first = At(1).State();
    for (int i = 2; i <= kNodes; ++i) {
      if (At(i).State().digest() != first.digest()) return false;
    }
    return first.digest() != 0;
  }

  std::filesystem::path folder_;
  std::string subnet_;
  Charter charter_;
  std::uint16_t steward_port_ = 0;
  google::protobuf::Duration lease_ = google::protobuf::util::TimeUtil::SecondsToDuration(1000);
  std::vector<std::unique_ptr<TestNode>> nodes_;
  std::unique_ptr<TestSteward> steward_;
  std::set<int> turned_away_;  // by flock, says Lead
};

}  // namespace radix::registry
