// The real proctor and the real deans with as much as they take, and with more.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "services/proctor/fake_group_test.h"

namespace radix::proctor {
namespace {

using testing::HasSubstr;

class LimitsTest : public ProctorTest {
 protected:
  void LeadAll() {
    Lead(0, 1);
    for (std::size_t i = 0; i < kNodes; ++i) StartDean(i);
    ASSERT_TRUE(Eventually([&] { return IsDone(0, 1); }));
  }

  // As large as one manifest can be, almost: 256 services with 6 KiB of arguments each, 1.6 MiB.
  static v1::Manifest Largest(const std::string& name) {
    v1::Manifest manifest = Galumph("galumph2_3", "pick(s0, 3, ALL)");
    manifest.set_name(name);
    v1::ServiceSpec service = manifest.services(0);
    manifest.clear_services();
    service.add_args(std::string(kArgumentBytesMax, 'x'));
    for (std::size_t i = 0; i < kServicesMax; ++i) {
      service.set_name(absl::StrCat("s", i));
      *manifest.add_services() = service;
    }
    return manifest;
  }

  static v1::Manifest Small(const std::string& name) {
    v1::Manifest manifest = Galumph("galumph2_3", "pick(galumph, 0, ALL)");
    manifest.set_name(name);
    return manifest;
  }

  absl::Status Propose(const std::string& key, std::size_t size) {
    v1::ProposeRequest request;
    request.mutable_decision()->set_kind("muster");
    request.mutable_decision()->set_key(key);
    request.mutable_decision()->set_value(std::string(size, 'v'));
    v1::ProposeResponse response;
    const auto stub = v1::ProctorService::NewStub(confab::DialLocal(nodes_[0]->node(), "proctor"));
    return confab::FromGrpc(Call(*stub->async(), &v1::ProctorService::Stub::async::Propose, request,
                                 response, {.timeout = 20s}));
  }
};

TEST_F(LimitsTest, TheLargestManifestIsKeptAndRunsAndASecondIsRefusedWithWhatToDo) {
  LeadAll();
  const auto kept = ApplySoon(1, Largest("first"));
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto refused = ApplySoon(1, Largest("second"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(refused.status().message()),
      HasSubstr("at most 1966080 are kept; make a manifest or a horde smaller, or remove one"));
  ASSERT_TRUE(ApplySoon(1, Small("third")).ok()) << "there is room for it";
  EXPECT_TRUE(Eventually([&] { return CountOf("galumph2_3") == 3; }));

  // A node that comes back says all that it has and runs, in one message.
  deans_[1] = nullptr;
  StartDean(1);
  EXPECT_TRUE(Eventually([&] { return IsDone(0, 1); }));
}

TEST_F(LimitsTest, AChangeForWhichThereIsNoRoomTakesNoOtherWithIt) {
  LeadAll();
  ASSERT_TRUE(ApplySoon(1, Largest("first")).ok());
  // While one is on its way, for want of a quorum, the others wait, and go into one document.
  deans_[1] = nullptr;
  deans_[2] = nullptr;
  const auto apply = [&](const v1::Manifest& manifest) {
    return std::async(std::launch::async, [this, manifest] { return Apply(0, manifest); });
  };
  auto on_its_way = apply(Small("a"));
  ASSERT_TRUE(Eventually([&] { return RevisionOnDisk(0) == 2; }));
  auto large = apply(Largest("b"));
  auto small = apply(Small("c"));
  EXPECT_EQ(large.wait_for(300ms), std::future_status::timeout);  // they have arrived, most likely
  StartDean(1);
  EXPECT_TRUE(on_its_way.get().ok());
  EXPECT_EQ(large.get().status().code(), absl::StatusCode::kResourceExhausted);
  const auto kept = small.get();
  EXPECT_TRUE(kept.ok()) << kept.status();
}

TEST_F(LimitsTest, TheInventoryLeavesRoomForManifests) {
  LeadAll();
  EXPECT_TRUE(Propose(std::string(1024, 'k'), 64 * 1024).ok());
  EXPECT_EQ(Propose(std::string(1025, 'k'), 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Propose("k", 64 * 1024 + 1).code(), absl::StatusCode::kInvalidArgument);
  absl::Status status;
  int kept = 0;
  while (status.ok() && kept < 40) {
    status = Propose(absl::StrCat("key-", kept), 64 * 1024);
    if (status.ok()) ++kept;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 1048576 are kept"));
  EXPECT_EQ(kept, 14);
  v1::Manifest half = Largest("half");
  half.mutable_services()->DeleteSubrange(0, 100);
  half.set_khan("");
  const auto applied = ApplySoon(1, half);
  EXPECT_TRUE(applied.ok()) << applied.status();
  EXPECT_TRUE(Propose("key-0", 100).ok()) << "a smaller one in its place";
  EXPECT_TRUE(Propose("key-1", 0).ok()) << "none in its place";
}

}  // namespace
}  // namespace radix::proctor
