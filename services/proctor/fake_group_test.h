// Three nodes with the real deans, the real proctor on one of them, and fakes of all other
// services.

#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/call.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"
#include "services/proctor/dean_service.h"
#include "services/proctor/fake_node_test.h"
#include "services/proctor/proctor_service.h"
#include "services/registry/registry_codec.h"

namespace radix::proctor {

inline constexpr std::size_t kNodes = 3;
inline constexpr int kQuorum = 2;
inline const std::string kFile3 = "sha256:" + std::string(64, '3');
inline const std::string kFile4 = "sha256:" + std::string(64, '4');

// Waits for a condition; a test that waits in vain fails.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

inline v1::Decision Decision(const std::string& kind, const std::string& key,
                             const std::string& value) {
  v1::Decision decision;
  decision.set_kind(kind);
  decision.set_key(key);
  decision.set_value(value);
  return decision;
}

// A proctor that serves.
struct RunningProctor {
  std::atomic<bool> over = false;
  std::shared_ptr<ProctorDriver> driver;
  std::unique_ptr<ProctorServiceImpl> service;
  std::unique_ptr<confab::Server> server;
  ~RunningProctor() {
    driver->Close();
    server->Shutdown(1s);
  }
};

// A dean that serves.
struct RunningDean {
  std::shared_ptr<DeanDriver> driver;
  std::unique_ptr<DeanServiceImpl> service;
  std::unique_ptr<confab::Server> server;
  ~RunningDean() {
    driver->Close();
    server->Shutdown(1s);
  }
};

// Three nodes, of which one leads when Lead is called, and those have a dean for whom StartDean is.
class ProctorTest : public testing::Test {
 protected:
  ProctorTest() {
    std::string pattern = testing::TempDir() + "p-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    for (std::size_t i = 0; i < kNodes; ++i) {
      confab::Node node;
      node.name = absl::StrCat("n", i + 1);
      node.address = *IpAddress::Parse(absl::StrCat("127.77.0.", i + 1));
      node.state = folder_ / node.name;
      if (i == 1) node.labels = {"KV"};
      nodes_.push_back(std::make_unique<FakeNode>(node));
      nodes_[i]->pastiche.files = {kFile3, kFile4};
    }
    deans_.resize(kNodes);
  }

  ~ProctorTest() override {
    deans_.clear();
    proctor_ = nullptr;
    nodes_.clear();
    std::filesystem::remove_all(folder_);
  }

  void StartDean(std::size_t i) {
    auto dean = std::make_unique<RunningDean>();
    dean->driver = DeanDriver::Create({.node = nodes_[i]->node(), .builtins = NodeBuiltIns()});
    dean->service = std::make_unique<DeanServiceImpl>(dean->driver);
    auto server =
        confab::Server::Start(nodes_[i]->node(), {.socket = "dean"}, {{&*dean->service, "dean"}});
    ASSERT_TRUE(server.ok()) << server.status();
    dean->server = *std::move(server);
    deans_[i] = std::move(dean);
  }

  // Node `leader` leads under `epoch`, and its proctor serves.
  void Lead(std::size_t leader, std::int64_t epoch) {
    leader_ = leader;
    epoch_ = epoch;
    proctor_ = nullptr;
    for (std::size_t i = 0; i < kNodes; ++i) Tell(i);
    StartProctor();
  }

  void StartProctor() {
    proctor_ = nullptr;
    auto proctor = std::make_unique<RunningProctor>();
    proctor->driver = ProctorDriver::Create(
        {.node = nodes_[leader_]->node(),
         .charter = {.ranges = *AddressRanges::Parse({"127.77.0.0/24"}), .at_most = kNodes},
         .epoch = epoch_,
         .on_over = [raw = proctor.get()] { raw->over = true; },
         .settle = settle_});
    proctor->service =
        std::make_unique<ProctorServiceImpl>(nodes_[leader_]->node(), proctor->driver);
    auto server = confab::Server::Start(nodes_[leader_]->node(), {.socket = "proctor", .port = 0},
                                        {{&*proctor->service, "proctor"}});
    ASSERT_TRUE(server.ok()) << server.status();
    proctor->server = *std::move(server);
    proctor_ = std::move(proctor);
    for (std::size_t i = 0; i < announced_; ++i) Announce(*nodes_[i]);
  }

  // Node `node` learns where the proctor is.
  void Announce(FakeNode& node) {
    registry::Delta proctors{.origin = "reeve", .snapshot = true};
    proctors.changes = {{{"radix", "proctor1", "proctor1_0", nodes_[leader_]->node().name,
                          proctor_->server->net_id()}}};
    reeve::v1::WatchResponse table;
    *table.mutable_delta() = registry::ToProto(proctors);
    node.reeve.proctors.Send(table);
  }

  // Node `i` hears of the leader, and grants it its lease.
  void Tell(std::size_t i, std::chrono::seconds grant = 600s) {
    flock::v1::WatchGroupResponse group;
    group.set_node(nodes_[i]->node().name);
    group.set_epoch(epoch_);
    group.set_leader_address(nodes_[leader_]->address());
    group.set_quorum(kQuorum);
    if (i == leader_) group.mutable_lease_remaining_duration()->set_seconds(lease_.count());
    group.set_granted_epoch(epoch_);
    group.set_granted_address(nodes_[leader_]->address());
    group.mutable_grant_remaining_duration()->set_seconds(grant.count());
    for (const auto& node : nodes_) {
      auto& member = *group.add_members();
      member.set_address(node->address());
      member.set_state(flock::v1::MEMBER_STATE_ALIVE);
      member.set_key_fingerprint(FingerprintOf(group.members_size() - 1));
    }
    nodes_[i]->flock.group.Send(group);
  }

  static std::uint64_t FingerprintOf(int node) { return 100 + static_cast<std::uint64_t>(node); }

  static v1::Manifest Galumph(const std::string& inst, const std::string& khan) {
    v1::Manifest manifest;
    manifest.set_name("galumph");
    manifest.set_source("g.yaml");
    manifest.set_khan(khan);
    manifest.set_khan_line(9);
    auto& service = *manifest.add_services();
    service.set_name("galumph");
    service.set_api("galumph2");
    service.set_inst(inst);
    service.set_file(inst == "galumph2_4" ? kFile4 : kFile3);
    service.set_line(4);
    return manifest;
  }

  absl::StatusOr<v1::ApplyResponse> Apply(std::size_t i, const v1::Manifest& manifest,
                                          Duration timeout = 20s) {
    v1::ApplyRequest request;
    *request.mutable_manifest() = manifest;
    v1::ApplyResponse response;
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[i]->node(), "dean"));
    const grpc::Status status = Call(*stub->async(), &v1::DeanService::Stub::async::Apply, request,
                                     response, {.timeout = timeout});
    if (!status.ok()) return confab::FromGrpc(status);
    return response;
  }

  void LeadAll() {
    Lead(0, 1);
    for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
    ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  }

  // Proposed to the dean of node `i`, where `before` is the text that is expected to be there.
  absl::StatusOr<std::int64_t> Propose(std::size_t i, const v1::Decision& decision,
                                       const std::optional<std::string>& before = std::nullopt) {
    v1::ProposeRequest request;
    *request.mutable_decision() = decision;
    if (before) request.set_expected_checksum(before->empty() ? "" : Sha256(*before));
    v1::ProposeResponse response;
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[i]->node(), "dean"));
    const grpc::Status status = Call(*stub->async(), &v1::DeanService::Stub::async::Propose,
                                     request, response, {.timeout = 20s});
    if (!status.ok()) return confab::FromGrpc(status);
    return response.revision();
  }

  // Applies, and tries again while there is nobody to apply it.
  absl::StatusOr<v1::ApplyResponse> ApplySoon(std::size_t i, const v1::Manifest& manifest) {
    absl::StatusOr<v1::ApplyResponse> result;
    Eventually([&] {
      result = Apply(i, manifest);
      return result.ok() ||
             !(absl::IsUnavailable(result.status()) || absl::IsFailedPrecondition(result.status()));
    });
    return result;
  }

  absl::StatusOr<v1::GetStatusResponse> StatusOf(std::size_t i, const std::string& horde = "") {
    v1::GetStatusRequest request;
    request.set_horde(horde);
    v1::GetStatusResponse response;
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[i]->node(), "dean"));
    const grpc::Status status =
        Call(*stub->async(), &v1::DeanService::Stub::async::GetStatus, request, response);
    if (!status.ok()) return confab::FromGrpc(status);
    return response;
  }

  bool IsDone(std::size_t i, std::int64_t epoch) {
    const auto status = StatusOf(i);
    return status.ok() && status->doneness() == 1.0 && status->epoch() == epoch &&
           status->nodes_size() == static_cast<int>(kNodes);
  }

  // The revision that node `i` says that it has on disk.
  std::int64_t RevisionOnDisk(std::size_t i) {
    v1::GetNodeResponse response;
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[i]->node(), "dean"));
    Call(*stub->async(), &v1::DeanService::Stub::async::GetNode, v1::GetNodeRequest(), response);
    return response.document().revision();
  }

  int CountOf(const std::string& inst) {
    int count = 0;
    for (auto& node : nodes_) count += node->picket.CountOf(inst);
    return count;
  }

  std::filesystem::path folder_;
  std::chrono::seconds lease_ = 600s;
  Duration settle_ = 3s;
  std::size_t announced_ = kNodes;  // nodes that learn at once where a new proctor is
  std::size_t leader_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
  std::vector<std::unique_ptr<RunningDean>> deans_;
  std::unique_ptr<RunningProctor> proctor_;
};

}  // namespace radix::proctor
