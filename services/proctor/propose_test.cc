// What operators decide: the real proctor and the real deans, over gRPC.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/subscription.h"
#include "services/proctor/fake_group_test.h"

namespace radix::proctor {
namespace {

const char kWhy[] = "\n\003why";  // a radix.trust.v1.Revocation

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

v1::Decision RulesDecision(const std::string& text) { return Decision("rules", "operators", text); }

const std::string kNone;  // there must be none

class ProposeTest : public ProctorTest {
 protected:
  // What the leader has of a kind, as the dean of node `i` says.
  std::vector<std::string> Listed(std::size_t i, const std::string& kind = "rules") {
    v1::ListDecisionsRequest request;
    request.set_kind(kind);
    v1::ListDecisionsResponse response;
    const auto stub = v1::DeanService::NewStub(confab::DialLocal(nodes_[i]->node(), "dean"));
    const grpc::Status status =
        Call(*stub->async(), &v1::DeanService::Stub::async::ListDecisions, request, response);
    if (!status.ok()) return {status.error_message()};
    std::vector<std::string> values;
    for (const auto& each : response.decisions()) values.push_back(each.value());
    return values;
  }

  // The first that node `i` says of what it has on disk.
  absl::StatusOr<std::vector<std::string>> OnDisk(std::size_t i,
                                                  const v1::WatchDecisionsRequest& request) {
    const auto told = std::make_shared<std::promise<absl::StatusOr<std::vector<std::string>>>>();
    auto once = std::make_shared<std::once_flag>();
    const Subscription<v1::WatchDecisionsResponse> watch(
        WatchLocal<v1::DeanService>(nodes_[i]->node(), "dean",
                                    &v1::DeanService::Stub::async::WatchDecisions, request),
        [told, once](const v1::WatchDecisionsResponse& message) {
          std::vector<std::string> values;
          for (const auto& each : message.decisions()) values.push_back(each.value());
          std::call_once(*once, [&] { told->set_value(values); });
        },
        [told, once](const grpc::Status& status) {
          std::call_once(*once, [&] { told->set_value(confab::FromGrpc(status)); });
        });
    auto future = told->get_future();
    if (future.wait_for(20s) != std::future_status::ready)
      return absl::UnknownError("nothing came");
    return future.get();
  }

  std::vector<std::string> RulesOnDisk(std::size_t i) {
    v1::WatchDecisionsRequest request;
    request.set_kind("rules");
    const auto values = OnDisk(i, request);
    return values.ok() ? *values : std::vector<std::string>{values.status().ToString()};
  }
};

TEST_F(ProposeTest, RulesAreKeptOnEveryNode) {
  LeadAll();
  EXPECT_THAT(Listed(1), IsEmpty());
  const std::string text = "# why\ncall shop/front shop/cart2\n";
  const auto revision = Propose(2, RulesDecision(text));
  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_THAT(Listed(1), ElementsAre(text)) << "with its comments";
  for (std::size_t i = 0; i < kNodes; ++i) {
    EXPECT_TRUE(Eventually([&] { return RulesOnDisk(i) == std::vector{text}; })) << i;
  }
  ASSERT_TRUE(Propose(0, RulesDecision("# nobody\n")).ok());
  EXPECT_THAT(Listed(1), ElementsAre("# nobody\n")) << "there is one list of rules";
}

TEST_F(ProposeTest, WhatIsMalformedIsRefusedByLineAndFieldAndChangesNothing) {
  LeadAll();
  const std::string text = "call shop/front shop/cart2\n";
  ASSERT_TRUE(Propose(0, RulesDecision(text)).ok());
  const std::int64_t revision = RevisionOnDisk(0);
  // Whoever has a key for the proctor may ask it without a dean.
  const auto stub = v1::ProctorService::NewStub(confab::DialLocal(nodes_[0]->node(), "proctor"));
  const auto refused = [&](const v1::Decision& decision) -> std::string {
    v1::ProposeRequest request;
    *request.mutable_decision() = decision;
    v1::ProposeResponse response;
    const grpc::Status direct =
        Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request, response);
    EXPECT_EQ(direct.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const auto status = Propose(1, decision).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(std::string(status.message()), direct.error_message());
    return std::string(status.message());
  };
  EXPECT_THAT(refused(RulesDecision("call a/b c/d\n\ncal a/b c/d\n")),
              StartsWith("rules: line 3: is not '[deny] call"));
  EXPECT_THAT(refused(RulesDecision("serve a/b c/D$\n")), StartsWith("rules: line 1: 'c/D$'"));
  EXPECT_THAT(refused(RulesDecision("")), StartsWith("rules: the text is empty"));
  EXPECT_THAT(refused(RulesDecision(std::string(61 * 1024, '#'))), HasSubstr("is longer than"));
  EXPECT_THAT(refused(Decision("rules", "mine", text)), HasSubstr("key must be 'operators'"));
  EXPECT_THAT(refused(Decision("revoked", "key/7", "x")), StartsWith("decision.key: must be key/"));
  // Nobody takes a revocation back.
  for (const char* const value : {"", "\xff"}) {
    EXPECT_THAT(refused(Decision("revoked", "node/0123456789abcdef", value)),
                StartsWith("decision.value: must be a radix.trust.v1.Revocation"));
  }
  EXPECT_THAT(std::string(Propose(1, Decision("muster", "a", "b")).status().message()),
              HasSubstr("'muster' is not for operators to decide"));
  EXPECT_THAT(Listed(1), ElementsAre(text));
  EXPECT_EQ(RevisionOnDisk(0), revision);
}

TEST_F(ProposeTest, WhoExpectsWhatIsNotThereAnyMoreIsToldAndChangesNothing) {
  LeadAll();
  const std::string first = "call a/first c/d\n";
  const std::string second = "call a/second c/d\n";
  EXPECT_EQ(Propose(1, RulesDecision(first), second).status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Listed(1), IsEmpty());
  ASSERT_TRUE(Propose(1, RulesDecision(first), kNone).ok());
  EXPECT_EQ(Propose(1, RulesDecision(second), kNone).status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Listed(1), ElementsAre(first));
  ASSERT_TRUE(Propose(2, RulesDecision(second), first).ok());
  EXPECT_TRUE(Propose(2, RulesDecision(second), first).ok())
      << "it is kept already, and who had no answer asks again";
  const auto moved = Propose(1, RulesDecision("# a third\n"), first).status();
  EXPECT_EQ(moved.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(moved.message()), HasSubstr("somebody else has changed it meanwhile"));
  EXPECT_THAT(Listed(0), ElementsAre(second));
  EXPECT_TRUE(Propose(1, RulesDecision(first)).ok()) << "who expects nothing replaces anything";
}

// They come at once, and may well go into one document.
TEST_F(ProposeTest, OfManyWhoExpectTheSameOneIsKept) {
  LeadAll();
  std::string text = "# none\n";
  ASSERT_TRUE(Propose(0, RulesDecision(text)).ok());
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> wishes;
    std::vector<std::future<absl::StatusOr<std::int64_t>>> answers;
    for (int i = 0; i < 8; ++i) {
      wishes.push_back(absl::StrCat("call a/b c/d", round, "\nserve a/", i, " c/d\n"));
      answers.push_back(std::async(std::launch::async, [&, i, wish = wishes.back()] {
        return Propose(static_cast<std::size_t>(i) % kNodes, RulesDecision(wish), text);
      }));
    }
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto revision = answers[i].get();
      if (revision.ok()) {
        kept.push_back(wishes[i]);
      } else {
        EXPECT_EQ(revision.status().code(), absl::StatusCode::kAborted) << revision.status();
      }
    }
    ASSERT_EQ(kept.size(), 1U);
    text = kept.front();
    EXPECT_THAT(Listed(1), ElementsAre(text));
  }
}

TEST_F(ProposeTest, RulesSurviveTheLeaderAndThatAllNodesRestart) {
  LeadAll();
  const std::string text = "call shop/front shop/cart2\n";
  ASSERT_TRUE(Propose(1, RulesDecision(text), kNone).ok());
  deans_[0] = nullptr;  // the leader's whole node is gone
  Lead(1, 2);
  ASSERT_TRUE(Eventually([&] { return Listed(2) == std::vector{text}; }));
  proctor_ = nullptr;
  for (auto& dean : deans_) dean = nullptr;
  Lead(2, 3);
  for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
  ASSERT_TRUE(Eventually([&] { return Listed(0) == std::vector{text}; }));
  EXPECT_EQ(Propose(1, RulesDecision("# none\n"), kNone).status().code(),
            absl::StatusCode::kAborted);
}

TEST_F(ProposeTest, OneWatchTellsOfSeveralKinds) {
  LeadAll();
  const std::string key = "key/" + std::string(64, 'a');
  ASSERT_TRUE(Propose(0, RulesDecision("# none\n")).ok());
  ASSERT_TRUE(Propose(0, Decision("revoked", key, kWhy)).ok());
  v1::WatchDecisionsRequest request;
  request.set_kind("rules");
  request.add_more_kinds("revoked");
  EXPECT_TRUE(Eventually([&] {
    const auto values = OnDisk(1, request);
    return values.ok() && *values == std::vector<std::string>{kWhy, "# none\n"};
  }));
  request.add_more_kinds("");
  EXPECT_EQ(OnDisk(1, request).status(),
            absl::InvalidArgumentError("more_kinds: must not be empty"));
  request.clear_more_kinds();
  for (int i = 0; i < 9; ++i) request.add_more_kinds(absl::StrCat("kind", i));
  EXPECT_EQ(OnDisk(1, request).status(),
            absl::InvalidArgumentError("more_kinds: must be at most 8"));
}

TEST_F(ProposeTest, AFullInventoryHoldsUpNoOperator) {
  LeadAll();
  const auto stub = v1::ProctorService::NewStub(confab::DialLocal(nodes_[0]->node(), "proctor"));
  grpc::Status status;
  for (int i = 0; status.ok() && i < 40; ++i) {
    v1::ProposeRequest request;
    *request.mutable_decision() =
        Decision("muster", absl::StrCat("k", i), std::string(64'000, 'v'));
    v1::ProposeResponse response;
    status = Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request, response,
                  {.timeout = 20s});
  }
  ASSERT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const std::string text = std::string(59 * 1024, '#') + "\ncall a/b c/d\n";
  EXPECT_TRUE(Propose(1, RulesDecision(text)).ok());
  EXPECT_TRUE(Propose(1, Decision("revoked", "key/" + std::string(64, 'a'), kWhy)).ok());
}

TEST_F(ProposeTest, TheStatusSaysOfEachServiceWhatItIsCalledAndWhatItServes) {
  LeadAll();
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_3", "pick(galumph, 1, ALL)")).ok());
  const auto status = StatusOf(1);
  ASSERT_TRUE(status.ok()) << status.status();
  std::vector<std::string> services;
  for (const auto& each : status->services()) {
    services.push_back(each.horde() + "/" + each.service() + " " + each.api());
  }
  EXPECT_THAT(services,
              ElementsAre("default/galumph galumph2", "radix/healthminder healthminder1"));
}

// The files of a manifest may be long on their way to a node, or never come.
TEST_F(ProposeTest, WhatIsRevokedIsHeardBeforeAFileHasCome) {
  LeadAll();
  {
    const std::lock_guard lock(nodes_[2]->pastiche.mutex);
    nodes_[2]->pastiche.files.erase(kFile4);
  }
  ASSERT_TRUE(ApplySoon(0, Galumph("galumph2_4", "pick(galumph, 1, ALL)")).ok());
  ASSERT_TRUE(Propose(0, Decision("revoked", "node/0123456789abcdef", kWhy)).ok());
  v1::WatchDecisionsRequest request;
  request.set_kind("revoked");
  EXPECT_TRUE(Eventually([&] {
    const auto values = OnDisk(2, request);
    return values.ok() && *values == std::vector<std::string>{kWhy};
  }));
  EXPECT_LT(RevisionOnDisk(2), RevisionOnDisk(0)) << "it still has not got the file";
}

}  // namespace
}  // namespace radix::proctor
