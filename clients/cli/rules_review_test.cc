#include "clients/cli/rules_review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/grpc_status.h"
#include "services/confab/serve.h"

namespace radix::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class RulesReviewTest : public testing::Test {
 protected:
  RulesReviewTest() {
    known_.subjects.insert({"shop", "front"});
    known_.apis.insert({"shop", "cart2"});
  }

  RulesReview Of(const std::string& text, bool allow_unknown = false) {
    return Review(*trust::Rules::Parse(text), known_, allow_unknown);
  }
  static std::vector<std::string> Texts(const std::vector<Remark>& remarks) {
    std::vector<std::string> texts;
    for (const Remark& each : remarks) texts.push_back(absl::StrCat(each.line, ": ", each.text));
    return texts;
  }

  trust::KnownParties known_ = trust::KnownParties::Basic();
};

TEST_F(RulesReviewTest, OfGoodRulesThereIsNothingToSay) {
  const RulesReview review = Of("call shop/front shop/cart2\nserve shop/* shop/*\n");
  EXPECT_THAT(review.errors, IsEmpty());
  EXPECT_THAT(review.warnings, IsEmpty());
}

TEST_F(RulesReviewTest, ANameThatNobodyHasIsAnErrorUnlessItIsAllowed) {
  const std::string text = "call shop/front shop/cart2\ncall shop/frnt shop/cart3\n";
  EXPECT_THAT(
      Texts(Of(text).errors),
      ElementsAre(AllOf(StartsWith("2: nobody knows the service 'shop/frnt': no manifest"),
                        HasSubstr("--allow-unknown")),
                  StartsWith("2: nobody knows the api 'shop/cart3': no manifest declares")));
  const RulesReview allowed = Of(text, true);
  EXPECT_THAT(allowed.errors, IsEmpty());
  EXPECT_THAT(Texts(allowed.warnings),
              ElementsAre(StartsWith("2: nobody knows the service 'shop/frnt'"),
                          StartsWith("2: nobody knows the api 'shop/cart3'")));
}

TEST_F(RulesReviewTest, WhoMistakesAnApiForAServiceIsToldSo) {
  EXPECT_THAT(
      Texts(Of("call shop/cart2 shop/front\n").errors),
      ElementsAre(HasSubstr("it is an api; who calls or serves is named as in its manifest"),
                  HasSubstr("a service is called so in its manifest")));
}

TEST_F(RulesReviewTest, PatternsThatMatchNobodyAndRulesThatNeverDecideAreWarnedOfInOrder) {
  const RulesReview review =
      Of("call shop/front shop/*\n"
         "call shop/front shop/cart2\n"
         "call shap/*     shop/cart*\n");
  EXPECT_THAT(review.errors, IsEmpty());
  EXPECT_THAT(Texts(review.warnings),
              ElementsAre("2: never decides: before it comes line 1: call shop/front shop/*",
                          "3: 'shap/*' matches no service that a manifest declares"));
}

// The manifests have shop/front with the api front1.
struct FakeDean final : proctor::v1::DeanService::CallbackService {
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const proctor::v1::GetStatusRequest*,
                                      proctor::v1::GetStatusResponse* response) override {
    auto& service = *response->add_services();
    service.set_horde("shop");
    service.set_service("front");
    service.set_api("front1");
    return confab::Answer(context, answer);
  }
  absl::Status answer;
};

// The registry has shop/cart2, and the inventory shop/stock1.
struct FakeReeve final : reeve::v1::ReeveService::CallbackService {
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const reeve::v1::ListInstancesRequest*,
                                          reeve::v1::ListInstancesResponse* response) override {
    response->add_instances()->set_horde("shop");
    response->mutable_instances(0)->set_api("cart2");
    return confab::Answer(context, absl::OkStatus());
  }
  grpc::ServerUnaryReactor* SearchEntries(grpc::CallbackServerContext* context,
                                          const muster::v1::SearchRequest* request,
                                          muster::v1::SearchResponse* response) override {
    const std::lock_guard lock(mutex);
    searched.push_back(request->horde() + "/" + request->api());
    if (searched.back() == "shop/stock1") response->add_entries();
    return confab::Answer(context, absl::OkStatus());
  }
  std::mutex mutex;
  std::vector<std::string> searched;
};

TEST(AskWhoIsKnownTest, TheInventoryIsAskedForWhatNobodyElseKnows) {
  std::string folder = testing::TempDir() + "/radix-known-XXXXXX";
  const confab::Node node{.state = mkdtemp(folder.data())};
  FakeDean dean;
  FakeReeve reeve;
  auto dean_server = *confab::Server::Start(node, {.socket = "dean"}, {confab::Hosted(dean)});
  auto reeve_server = *confab::Server::Start(node, {.socket = "reeve"}, {confab::Hosted(reeve)});
  LabNode asked;
  asked.name = "n1";
  asked.state = node.state;
  const auto rules = *trust::Rules::Parse(
      "call shop/front shop/cart2\n"
      "call shop/front shop/stock1\n"
      "call shop/other shop/stock7\n"
      "call shop/front shop/st*\n");
  const auto known = AskWhoIsKnown(asked, rules, 10s);
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_TRUE(known->apis.contains({"shop", "front1"}));
  EXPECT_TRUE(known->apis.contains({"radix", "reeve1"}));
  EXPECT_THAT(FindUnknown(rules, *known),
              ElementsAre(trust::UnknownParty{3, "shop/other", false, true},
                          trust::UnknownParty{3, "shop/stock7", true, true}));
  EXPECT_THAT(reeve.searched, ElementsAre("shop/stock1", "shop/stock7"));

  dean.answer = absl::InvalidArgumentError("no");
  EXPECT_THAT(std::string(AskWhoIsKnown(asked, rules, 10s).status().message()),
              HasSubstr("dean of n1: no"));
  dean_server->Shutdown(1s);
  reeve_server->Shutdown(1s);
  std::filesystem::remove_all(node.state);
}

}  // namespace
}  // namespace radix::cli
