// Manifests and the inventory by horde: the real proctor and the real deans, over gRPC.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "radix/muster/v1/muster.pb.h"
#include "services/proctor/fake_group_test.h"
#include "services/registry/hordes_codec.h"

namespace radix::proctor {
namespace {

using registry::Horde;
using registry::Standing;
using testing::HasSubstr;

class HordesTest : public ProctorTest {
 protected:
  void Decide(const std::string& name, const Horde& horde) {
    const auto revision = Propose(1, Decision("horde", name, registry::ToBytes(horde)));
    ASSERT_TRUE(revision.ok()) << revision.status();
  }

  static v1::Manifest OfShop(const std::string& khan) {
    v1::Manifest manifest = Galumph("galumph2_3", khan);
    manifest.mutable_services(0)->set_horde("shop");
    return manifest;
  }

  // Of the fixture's nodes.
  static void Let(Horde& horde, int node, Standing standing) {
    horde.Set(FingerprintOf(node), "", standing);
  }

  int CountAt(std::size_t node) { return nodes_[node]->picket.CountOf("galumph2_3"); }
};

TEST_F(HordesTest, AManifestOfAHordeThatDoesNotExistIsRefusedByFileAndLine) {
  LeadAll();
  const auto refused = Apply(0, OfShop("pick(galumph, 1, ALL)"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.status().message(),
            "g.yaml:4: services[0] (galumph).horde: no horde is called 'shop'; `radix horde create "
            "shop` makes it, `radix horde ls` shows all");
}

TEST_F(HordesTest, AManifestRunsOnTheNodesOfItsHordeAndAllMeansThose) {
  LeadAll();
  Horde shop;
  Decide("shop", shop);
  ASSERT_TRUE(ApplySoon(0, OfShop("pick(galumph, size(ALL), ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  EXPECT_EQ(CountOf("galumph2_3"), 0) << "nobody is in it";
  Let(shop, 1, Standing::kAdmitted);
  Let(shop, 2, Standing::kAdmitted);
  Decide("shop", shop);
  ASSERT_TRUE(Eventually([&] { return CountOf("galumph2_3") == 2; }));
  EXPECT_EQ(CountAt(0), 0);
}

TEST_F(HordesTest, ANodeThatLeavesGoesOnUntilOthersServeAndOneThatIsOutStopsAtOnce) {
  LeadAll();
  Horde shop;
  Let(shop, 0, Standing::kAdmitted);
  Decide("shop", shop);
  ASSERT_TRUE(ApplySoon(0, OfShop("pick(galumph, 1, ALL)")).ok());
  ASSERT_TRUE(Eventually([&] { return IsDone(0, 1) && CountAt(0) == 1; }));
  Let(shop, 0, Standing::kLeaving);
  Decide("shop", shop);
  ASSERT_TRUE(Eventually([&] {
    const auto status = StatusOf(0, "shop");
    return status.ok() && status->unmet_size() == 2 &&
           status->unmet(0).reason() ==
               "1 of 1 not placed: no node is admitted to the horde 'shop'";
  }));
  EXPECT_EQ(CountAt(0), 1) << "there is no other node for it";
  Let(shop, 2, Standing::kAdmitted);
  Decide("shop", shop);
  ASSERT_TRUE(Eventually([&] { return CountAt(2) == 1 && CountAt(0) == 0; }));
  Let(shop, 2, Standing::kOutside);
  Decide("shop", shop);
  ASSERT_TRUE(Eventually([&] { return CountOf("galumph2_3") == 0; }))
      << "although it serves nowhere else";
}

TEST_F(HordesTest, TheStatusOfOneHordeHasNothingOfTheOthers) {
  LeadAll();
  Decide("shop", Horde());
  ASSERT_TRUE(ApplySoon(0, OfShop("pick(galumph, 2, ALL)")).ok());
  v1::Manifest other = Galumph("galumph2_4", "pick(galumph, 1, ALL)");
  other.set_name("other");
  ASSERT_TRUE(ApplySoon(0, other).ok());
  ASSERT_TRUE(Eventually([&] {
    const auto rest = StatusOf(0, "default");
    return rest.ok() && rest->doneness() == 1.0 && rest->services_size() == 1;
  }));
  const auto shop = StatusOf(0, "shop");
  ASSERT_TRUE(shop.ok()) << shop.status();
  EXPECT_EQ(shop->doneness(), 0.0);
  ASSERT_EQ(shop->services_size(), 1);
  EXPECT_EQ(shop->services(0).horde(), "shop");
  EXPECT_EQ(shop->nodes_size(), 0);
  EXPECT_EQ(StatusOf(0, "shp").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HordesTest, AHordeThatIsUsedStaysAndItsManifestIsNotReplacedByAnothers) {
  LeadAll();
  Decide("shop", Horde());
  ASSERT_TRUE(ApplySoon(0, OfShop("pick(galumph, 1, ALL)")).ok());
  const auto used = Propose(0, Decision("horde", "shop", ""));
  EXPECT_EQ(used.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(used.status().message(),
            "the horde 'shop' is used: by service galumph of manifest galumph; remove that first");
  const auto taken = Apply(0, Galumph("galumph2_4", "pick(galumph, 1, ALL)"));
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(taken.status().message(),
            "g.yaml: name: 'galumph' is a manifest of the horde 'shop'; choose another name, or "
            "remove that one");
  v1::Manifest nothing;
  nothing.set_name("galumph");
  ASSERT_TRUE(ApplySoon(0, nothing).ok());
  EXPECT_TRUE(Propose(0, Decision("horde", "shop", "")).ok());
}

TEST_F(HordesTest, TheInventoryHasEntriesOfHordesThatExist) {
  LeadAll();
  muster::v1::Entry entry;
  entry.set_horde("shop");
  const auto decision = Decision("muster", "k", entry.SerializeAsString());
  const auto propose = [&] {
    const auto stub = v1::ProctorService::NewStub(confab::DialLocal(nodes_[0]->node(), "proctor"));
    v1::ProposeRequest request;
    *request.mutable_decision() = decision;
    v1::ProposeResponse response;
    return Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request, response);
  };
  const grpc::Status refused = propose();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("entry.horde: no horde is called 'shop'"));
  Decide("shop", Horde());
  EXPECT_TRUE(propose().ok());
}

TEST_F(HordesTest, WhatIsMalformedIsRefused) {
  LeadAll();
  const auto refused = [&](const std::string& name, const std::string& value) {
    const auto status = Propose(1, Decision("horde", name, value)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(refused("A", registry::ToBytes(Horde())),
            "horde: its name must be 1 to 63 of a-z, 0-9 and '-'");
  EXPECT_THAT(refused("radix", registry::ToBytes(Horde())), HasSubstr("nobody can change that"));
  EXPECT_THAT(refused("radix", ""), HasSubstr("nobody can change that"));
  EXPECT_THAT(refused("shop", "\xff"), HasSubstr("is no radix.registry.v1.Horde"));
}

}  // namespace
}  // namespace radix::proctor
