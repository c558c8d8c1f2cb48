// The real proctor and the real deans of three nodes, over gRPC, against fakes of the other
// services.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "services/proctor/fake_group_test.h"

namespace radix::proctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ProctorTest, AManifestIsConformedToAndScaledAndRemoved) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); })) << "the built-in services";
  EXPECT_EQ(CountOf("pastiche1_0"), 3);
  EXPECT_EQ(CountOf("healthminder1_0"), 1);

  const auto applied = ApplySoon(2, Galumph("galumph2_3", "pick(galumph, 3, ALL)"));
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(applied->epoch(), 1);
  EXPECT_EQ(applied->revision(), 1);
  ASSERT_TRUE(Eventually([&] { return IsDone(1, 1); }));
  for (auto& node : nodes_) EXPECT_EQ(node->picket.CountOf("galumph2_3"), 1);

  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 5, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  EXPECT_EQ(CountOf("galumph2_3"), 5);

  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 1, LABEL(KV))")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && CountOf("galumph2_3") == 1; }));
  EXPECT_EQ(nodes_[1]->picket.CountOf("galumph2_3"), 1);

  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 0, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && CountOf("galumph2_3") == 0; }));
  EXPECT_EQ(CountOf("pastiche1_0"), 3);
}

TEST_F(ProctorTest, ANewVersionStartsBesideTheOldWhichGoesOnlyWhenItServes) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) {
    nodes_[i]->picket.silent = {"galumph2_4"};
    StartDean(i);
  }
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 2, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_4", "pick(galumph, 2, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return CountOf("galumph2_4") == 2; }));
  const auto status = StatusOf(0);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_LT(status->doneness(), 1.0);
  EXPECT_EQ(CountOf("galumph2_3"), 2) << "nothing stops while the new version does not serve";
  for (auto& node : nodes_) {
    const std::lock_guard lock(node->picket.mutex);
    node->picket.silent.clear();
    node->picket.Tell();
  }
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && CountOf("galumph2_3") == 0; }));
  EXPECT_EQ(CountOf("galumph2_4"), 2);
}

TEST_F(ProctorTest, ALivingNodeThatTakesNoPartIsSaidSo) {
  settle_ = 10ms;
  Lead(0, 1);
  StartDean(0);
  StartDean(1);
  ASSERT_TRUE(Eventually([&] {
    const auto status = StatusOf(0);
    if (!status.ok() || status->nodes_size() != 2 || status->unmet_size() != 1) return false;
    EXPECT_EQ(status->unmet(0).node(), nodes_[2]->address());
    EXPECT_THAT(status->unmet(0).reason(), HasSubstr("takes no part"));
    EXPECT_LT(status->doneness(), 1.0);
    return true;
  }));
  StartDean(2);
  EXPECT_TRUE(Eventually([&] { return IsDone(0, 1); })) << "it is asked for again by itself";
}

TEST_F(ProctorTest, WhatWasAcknowledgedSurvivesTheLeader) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  const auto applied = ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)"));
  ASSERT_TRUE(applied.ok()) << applied.status();
  deans_[0] = nullptr;  // the leader's whole node is gone
  Lead(1, 2);
  ASSERT_TRUE(Eventually([&] {
    const auto status = StatusOf(2);
    return status.ok() && status->epoch() == 2 && status->revision() == applied->revision();
  }));
  ASSERT_TRUE(Eventually([&] {
    return nodes_[1]->picket.CountOf("galumph2_3") + nodes_[2]->picket.CountOf("galumph2_3") == 3;
  })) << "the lost node's instance is placed elsewhere";
  const auto second = ApplySoon(1, Galumph("galumph2_4", "pick(galumph, 2, ALL)"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->revision(), applied->revision() + 1);
}

TEST_F(ProctorTest, WhatWasAcknowledgedSurvivesThatAllNodesRestart) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  proctor_ = nullptr;
  for (auto& dean : deans_) dean = nullptr;
  for (auto& node : nodes_) {
    const std::lock_guard lock(node->picket.mutex);
    node->picket.plugins.clear();
    node->picket.Tell();
  }
  Lead(2, 2);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 2); }));
  EXPECT_EQ(CountOf("galumph2_3"), 3);
}

TEST_F(ProctorTest, ARestartedProctorOfTheSameEpochGoesOn) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  const auto orders = [&] {
    std::size_t count = 0;
    for (auto& node : nodes_) {
      const std::lock_guard lock(node->picket.mutex);
      count += node->picket.orders.size();
    }
    return count;
  };
  const std::size_t before = orders();
  settle_ = 300s;
  announced_ = 2;
  StartProctor();
  ASSERT_TRUE(Eventually([&] {
    const std::string message(StatusOf(0).status().message());
    return message.find("waits for the nodes: 2 of 3") != std::string::npos;
  })) << "a quorum told it what was decided, but a node is missing";
  Announce(*nodes_[2]);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && StatusOf(0)->revision() == 1; }));
  EXPECT_EQ(orders(), before) << "nothing is started or stopped again";
}

TEST_F(ProctorTest, WithoutAQuorumNothingIsStartedOrStopped) {
  {
    const std::lock_guard lock(nodes_[0]->picket.mutex);
    picket::v1::Plugin& stray = nodes_[0]->picket.plugins["galumph.0123456789ab.0"];
    stray.mutable_spec()->set_id("galumph.0123456789ab.0");
    stray.mutable_spec()->set_owner("galumph");
    stray.mutable_spec()->set_inst("galumph2_2");
    stray.set_state(picket::v1::PLUGIN_STATE_RUNNING);
    nodes_[0]->picket.Tell();
  }
  Lead(0, 1);
  StartDean(0);
  ASSERT_TRUE(Eventually([&] { return CountOf("pastiche1_0") == 1; })) << "needs no group";
  ASSERT_TRUE(Eventually([&] {
    const auto status = StatusOf(0);
    return absl::IsFailedPrecondition(status.status()) &&
           std::string(status.status().message()).find("1 nodes reported, 2 must") !=
               std::string::npos;
  }));
  const auto applied = Apply(0, Galumph("galumph2_3", "pick(galumph, 1, ALL)"));
  EXPECT_EQ(applied.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(nodes_[0]->picket.orders, ElementsAre("start pastiche1_0"));

  StartDean(1);  // now there is a quorum, which knows that nobody asked for the stray
  StartDean(2);
  ASSERT_TRUE(Eventually([&] { return CountOf("galumph2_2") == 0; }));
}

TEST_F(ProctorTest, AWrongManifestIsRefusedByFileAndLine) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  const auto message = [&](const v1::Manifest& manifest) {
    const auto applied = Apply(1, manifest);
    EXPECT_EQ(applied.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(applied.status().message());
  };
  EXPECT_THAT(message(Galumph("galumph2_3", "\npick(galump, 3, ALL)")),
              StartsWith("g.yaml:10: khan 2:6: unknown service 'galump'"));
  EXPECT_THAT(message(Galumph("galumph2_3", "pick(galumph, 1/0, ALL)")),
              StartsWith("g.yaml:9: khan 1:16: the count divides by zero"));
  EXPECT_THAT(message(Galumph("galumph2_3", "pick(galumph, 1501, ALL)")),
              HasSubstr("the count of 'galumph' is 1501; at most 1500 fit: 500 on each of 3"
                        " nodes"));
  v1::Manifest manifest = Galumph("galumph2_3", "pick(galumph, 3, ALL)");
  manifest.mutable_services(0)->set_file("/bin/galumph");
  EXPECT_THAT(message(manifest), StartsWith("g.yaml:4: services[0] (galumph).file:"));
  manifest = Galumph("galumph2_3", "");
  manifest.set_name("radix");
  EXPECT_THAT(message(manifest), HasSubstr("is reserved"));
  manifest = Galumph("galumph2_3", "pick(galumph, 3, ALL)");
  const std::string unknown = "sha256:" + std::string(64, 'e');
  manifest.mutable_services(0)->set_file(unknown);
  EXPECT_THAT(message(manifest), HasSubstr(unknown + ": no reachable peer has it"));
  EXPECT_EQ(StatusOf(0)->revision(), 0) << "nothing was changed";
}

TEST_F(ProctorTest, AManifestThatAsksForTooManyHoldsUpNoOther) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  // Whether it is too many depends on the labels, so that it is accepted.
  const auto many =
      ApplySoon(0, Galumph("galumph2_3", "pick(galumph, size(LABEL(KV)) * 100000, LABEL(KV))"));
  ASSERT_TRUE(many.ok()) << many.status();
  v1::Manifest other = Galumph("galumph2_4", "pick(galumph, 3, ALL)");
  other.set_name("other");
  ASSERT_TRUE(ApplySoon(0, other).ok());
  EXPECT_TRUE(Eventually([&] { return CountOf("galumph2_4") == 3; }));
  EXPECT_TRUE(Eventually([&] {
    const auto status = StatusOf(0);
    if (!status.ok()) return false;
    return std::any_of(status->unmet().begin(), status->unmet().end(), [](const auto& item) {
      return item.reason().find("not placed: a node runs at most 500") != std::string::npos;
    });
  }));
}

TEST_F(ProctorTest, NodesPullTheFilesBeforeTheyAcknowledge) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  nodes_[1]->pastiche.files = {};
  nodes_[2]->pastiche.files = {};
  const auto refused = Apply(0, Galumph("galumph2_3", "pick(galumph, 1, ALL)"), 2s);
  EXPECT_FALSE(refused.ok()) << "only one node can have the file, so a quorum must not have it";
  {
    const std::lock_guard lock(nodes_[1]->pastiche.mutex);
    nodes_[1]->pastiche.files = {kFile3};
  }
  ASSERT_TRUE(Eventually([&] { return StatusOf(0).ok() && StatusOf(0)->revision() == 1; }))
      << "it is tried again, and may have been kept";
  EXPECT_EQ(nodes_[1]->pastiche.pulled.count(kFile3), 1U);
}

TEST_F(ProctorTest, AFileOfANodeThatHasJustStartedIsAskedForAgain) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  FakePastiche& pastiche = nodes_[0]->pastiche;
  {
    const std::lock_guard lock(pastiche.mutex);
    pastiche.files.erase(kFile4);
  }
  auto applied = std::async(
      std::launch::async, [&] { return Apply(1, Galumph("galumph2_4", "pick(galumph, 1, ALL)")); });
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(pastiche.mutex);
    return pastiche.missed.count(kFile4) == 1;
  }));
  {
    const std::lock_guard lock(pastiche.mutex);
    pastiche.files.insert(kFile4);
  }
  EXPECT_EQ(applied.get().status(), absl::OkStatus());
}

TEST_F(ProctorTest, AFileThatNobodyHasIsRefusedWithThePlaceThatNamesIt) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  {
    const std::lock_guard lock(nodes_[0]->pastiche.mutex);
    nodes_[0]->pastiche.files.erase(kFile4);
  }
  const auto refused = Apply(1, Galumph("galumph2_4", "pick(galumph, 1, ALL)"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()),
              StartsWith("g.yaml:4: services[0] (galumph).file: "));
}

TEST_F(ProctorTest, AnApplyThatWasGivenUpDoesNotReplaceWhatWasAppliedSince) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(1, Galumph("galumph2_3", "pick(galumph, 1, ALL)")).ok());

  nodes_[0]->pastiche.Hold(kFile4);  // a large file: the proctor waits for it
  {
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[1]->node(), "dean"));
    grpc::ClientContext context;
    v1::ApplyRequest request;
    *request.mutable_manifest() = Galumph("galumph2_4", "pick(galumph, 3, ALL)");
    v1::ApplyResponse response;
    std::promise<grpc::Status> done;
    stub->async()->Apply(&context, &request, &response,
                         [&done](const grpc::Status& status) { done.set_value(status); });
    EXPECT_TRUE(Eventually([&] { return nodes_[0]->pastiche.held_count() == 1; }));
    context.TryCancel();  // Ctrl-C
    EXPECT_EQ(done.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  }
  ASSERT_TRUE(ApplySoon(1, Galumph("galumph2_3", "pick(galumph, 2, ALL)")).ok());

  nodes_[0]->pastiche.Release();
  v1::Manifest later = Galumph("galumph2_4", "pick(galumph, 0, ALL)");
  later.set_name("later");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ApplySoon(1, later).ok());
  const auto status = StatusOf(1);
  ASSERT_TRUE(status.ok()) << status.status();
  for (const auto& service : status->services()) {
    EXPECT_FALSE(service.manifest() == "galumph" && service.inst() == "galumph2_4");
  }
  EXPECT_EQ(status->revision(), 5) << "nothing but what was acknowledged";
}

TEST_F(ProctorTest, ANodeThatIsCutOffKeepsWhatItRuns) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 3, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  Tell(2, 0s);  // its grant has run out: it takes no orders
  ASSERT_TRUE(Eventually([&] {
    const auto status = StatusOf(0);
    return status.ok() && status->nodes_size() == 2;
  }));
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 0, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] {
    return nodes_[0]->picket.CountOf("galumph2_3") + nodes_[1]->picket.CountOf("galumph2_3") == 0;
  }));
  EXPECT_EQ(nodes_[2]->picket.CountOf("galumph2_3"), 1);
  Tell(2);
  ASSERT_TRUE(Eventually([&] { return CountOf("galumph2_3") == 0; }));
}

TEST_F(ProctorTest, AProctorEndsWithItsLease) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  lease_ = 0s;
  Tell(0);  // the last renewal runs out at once
  ASSERT_TRUE(Eventually([&] { return proctor_->over.load(); }));
  const auto stub = v1::ProctorService::NewStub(
      *confab::Dial(confab::Node{}, proctor_->server->net_id(), "proctor"));
  v1::ProposeRequest request;
  request.mutable_decision()->set_kind("muster");
  request.mutable_decision()->set_key("k");
  request.mutable_decision()->set_value("v");
  v1::ProposeResponse response;
  const grpc::Status status =
      Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ProctorTest, AProctorEndsWhenAnotherNodeLeads) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  EXPECT_FALSE(proctor_->over);
  epoch_ = 2;
  leader_ = 1;
  Tell(0);
  ASSERT_TRUE(Eventually([&] { return proctor_->over.load(); }));
}

TEST_F(ProctorTest, OpaqueDecisionsAreKeptListedAndRemoved) {
  Lead(0, 1);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  const auto stub = v1::ProctorService::NewStub(
      *confab::Dial(confab::Node{}, proctor_->server->net_id(), "proctor"));
  const auto propose = [&](const std::string& key, const std::string& value) {
    v1::ProposeRequest request;
    request.mutable_decision()->set_kind("muster");
    request.mutable_decision()->set_key(key);
    request.mutable_decision()->set_value(value);
    v1::ProposeResponse response;
    return Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request, response);
  };
  EXPECT_TRUE(propose("b", "1").ok());
  EXPECT_TRUE(propose("a", "2").ok());
  EXPECT_TRUE(propose("b", "3").ok());
  EXPECT_EQ(propose("", "3").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(propose("x", std::string(70000, 'x')).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::ListDecisionsRequest request;
  request.set_kind("muster");
  const auto list = [&] {
    v1::ListDecisionsResponse response;
    EXPECT_TRUE(
        Call(*stub->async(), &v1::ProctorService::Stub::async::ListDecisions, request, response)
            .ok());
    std::vector<std::string> entries;
    for (const auto& decision : response.decisions()) {
      entries.push_back(decision.key() + "=" + decision.value());
    }
    return entries;
  };
  EXPECT_THAT(list(), ElementsAre("a=2", "b=3"));
  EXPECT_TRUE(propose("a", "").ok());
  EXPECT_THAT(list(), ElementsAre("b=3"));
}

TEST_F(ProctorTest, WhoCannotBeAskedOrDoesNotKnowYetSaysWhatIsMissing) {
  const auto says = [this](std::size_t i, const std::string& what) {
    return Eventually([&] {
      return std::string(StatusOf(i).status().message()).find(what) != std::string::npos;
    });
  };
  flock::v1::WatchGroupResponse alone;
  alone.set_node(nodes_[1]->node().name);
  alone.set_quorum(kQuorum);
  auto& member = *alone.add_members();
  member.set_address(nodes_[1]->address());
  member.set_state(flock::v1::MEMBER_STATE_ALIVE);
  nodes_[1]->flock.group.Send(alone);
  StartDean(1);
  EXPECT_TRUE(says(1, "nobody leads: alive, as far as this node knows, are 1, and 2 make a quorum"))
      << StatusOf(1).status();
  announced_ = 0;
  Lead(0, 1);
  EXPECT_TRUE(says(1, "127.77.0.1 leads, and its proctor is not known here yet"))
      << StatusOf(1).status();
  announced_ = kNodes;
  StartProctor();
  StartDean(2);
  EXPECT_TRUE(says(1, "2 nodes reported, 2 must, this leader's own node among them, which has not"))
      << StatusOf(1).status();
  StartDean(0);
  EXPECT_TRUE(Eventually([&] { return StatusOf(1).ok(); }));
}

}  // namespace
}  // namespace radix::proctor
