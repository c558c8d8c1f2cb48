#include "services/confab/dial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "galumph/v2/galumph.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/time.h"

namespace radix::confab {
namespace {

using galumph::v2::Galumph;

// A call whose end lets go of the channel, on gRPC's own thread. Without a server in the process
// there may be no other channel, and then gRPC would abort.
TEST(DialTest, AChannelMayEndInAReaction) {
  struct Call {
    std::unique_ptr<Galumph::Stub> stub;
    grpc::ClientContext context;
    galumph::v2::RegisterRequest request;
    galumph::v2::RegisterResponse response;
  };
  const Node nobody{.name = "n", .address = {}, .state = "/nonexistent/radix", .labels = {}};
  for (int i = 0; i < 20; ++i) {  // which thread is last is a race
    auto channel = DialLocal(nobody, "galumph");
    const std::weak_ptr<grpc::Channel> gone = channel;
    auto call = std::make_shared<Call>();
    call->stub = Galumph::NewStub(std::move(channel));
    std::promise<void> released;
    std::promise<grpc::StatusCode> ended;
    Call* const raw = call.get();
    raw->stub->async()->Register(
        &raw->context, &raw->request, &raw->response,
        [&, may_end = released.get_future().share(), call = std::move(call)](grpc::Status status) {
          may_end.wait_for(10s);
          ended.set_value(status.error_code());
        });
    released.set_value();
    auto end = ended.get_future();
    ASSERT_EQ(end.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(end.get(), grpc::StatusCode::UNAVAILABLE);
    const Instant limit = Now() + 10s;
    while (!gone.expired() && Now() < limit) std::this_thread::yield();
    EXPECT_TRUE(gone.expired());
  }
}

TEST(DialTest, RefusesWhatIsNoLoopbackAddress) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Dial("192.0.2.1:80").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Dial("[2001:db8::1]:80").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Dial("localhost:80").status()));
  EXPECT_TRUE(Dial("127.0.0.2:80").ok());
  EXPECT_TRUE(Dial("[::1]:80").ok());
}

}  // namespace
}  // namespace radix::confab
