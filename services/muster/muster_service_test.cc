// muster before a proctor that refuses.

#include "services/muster/muster_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "clients/cpp/call.h"
#include "radix/muster/v1/muster.grpc.pb.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/dial.h"
#include "services/confab/grpc_status.h"
#include "services/confab/serve.h"

namespace radix::muster {
namespace {

using testing::HasSubstr;

// Knows no decisions, and answers each proposal with `answer`.
struct FakeProctor final : proctor::v1::ProctorService::CallbackService {
  grpc::ServerUnaryReactor* Propose(grpc::CallbackServerContext* context,
                                    const proctor::v1::ProposeRequest* request,
                                    proctor::v1::ProposeResponse*) override {
    const std::lock_guard lock(mutex);
    proposed = request->decision();
    return confab::Answer(context, answer);
  }
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const proctor::v1::ListDecisionsRequest*,
                                          proctor::v1::ListDecisionsResponse*) override {
    return confab::Answer(context, absl::OkStatus());
  }

  std::mutex mutex;
  absl::Status answer;
  proctor::v1::Decision proposed;
};

class MusterServiceTest : public testing::Test {
 protected:
  MusterServiceTest() {
    std::string pattern = testing::TempDir() + "m-XXXXXX";
    node_.state = mkdtemp(pattern.data());
    node_.name = "n1";
    node_.address = *IpAddress::Parse("127.78.0.1");
    proctor_server_ =
        *confab::Server::Start(node_, {.socket = "proctor"}, {{&proctor_, "proctor"}});
    muster_ = std::make_unique<MusterServiceImpl>(node_, [] { return absl::OkStatus(); });
    muster_server_ = *confab::Server::Start(node_, {.socket = "muster"}, {{&*muster_, "muster"}});
    stub_ = v1::MusterService::NewStub(confab::DialLocal(node_, "muster"));
  }
  ~MusterServiceTest() override {
    muster_server_ = nullptr;
    muster_ = nullptr;
    proctor_server_ = nullptr;
    std::filesystem::remove_all(node_.state);
  }

  static v1::Entry Longest() {
    v1::Entry entry;
    entry.set_horde(std::string(63, 'h'));
    entry.set_api(std::string(63, 'a'));
    entry.set_inst(std::string(63, 'i'));
    entry.set_filename("sha256:" + std::string(64, 'f'));
    entry.set_function_name(std::string(255, 'F'));
    return entry;
  }

  // Registers once muster has asked the proctor for what there is.
  grpc::Status Register(const v1::Entry& entry) {
    v1::RegisterRequest request;
    *request.mutable_entry() = entry;
    v1::RegisterResponse response;
    grpc::Status status;
    const auto until = std::chrono::steady_clock::now() + 20s;
    do {
      status = Call(*stub_->async(), &v1::MusterService::Stub::async::Register, request, response);
    } while (status.error_message().find("not loaded yet") != std::string::npos &&
             std::chrono::steady_clock::now() < until);
    return status;
  }

  confab::Node node_;
  FakeProctor proctor_;
  std::unique_ptr<confab::Server> proctor_server_;
  std::unique_ptr<MusterServiceImpl> muster_;
  std::unique_ptr<confab::Server> muster_server_;
  std::unique_ptr<v1::MusterService::Stub> stub_;
};

TEST_F(MusterServiceTest, TheLongestEntryHasAKeyThatProctorTakes) {
  const grpc::Status status = Register(Longest());
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_LE(proctor_.proposed.key().size(), 1024U);
  EXPECT_LE(proctor_.proposed.value().size(), 64U * 1024);
  v1::Entry longer = Longest();
  longer.set_function_name(std::string(256, 'F'));
  EXPECT_THAT(Register(longer).error_message(), HasSubstr("entry.function_name: "));
  longer = Longest();
  longer.set_inst(std::string(64, 'i'));
  EXPECT_THAT(Register(longer).error_message(), HasSubstr("entry.inst: "));
}

TEST_F(MusterServiceTest, WhatProctorHasNoRoomForIsNotSaidToBeWorthAnotherTry) {
  proctor_.answer = absl::ResourceExhaustedError("the group's decisions would need 7 bytes");
  const grpc::Status status = Register(Longest());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "the group's decisions would need 7 bytes");
  proctor_.answer = absl::FailedPreconditionError("this proctor holds no lease now");
  EXPECT_EQ(Register(Longest()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(MusterServiceTest, APageHasALimit) {
  ASSERT_TRUE(Register(Longest()).ok());
  v1::SearchRequest request;
  v1::SearchResponse response;
  for (const int size : {0, 1, 1000}) {
    request.set_page_size(size);
    EXPECT_TRUE(
        Call(*stub_->async(), &v1::MusterService::Stub::async::Search, request, response).ok());
  }
  for (const int size : {-1, 1001}) {
    request.set_page_size(size);
    const grpc::Status status =
        Call(*stub_->async(), &v1::MusterService::Stub::async::Search, request, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), "page_size: must be 0 to 1,000");
  }
  request.set_page_size(1);
  request.set_page_token(std::string(4097, 'A'));
  EXPECT_THAT(Call(*stub_->async(), &v1::MusterService::Stub::async::Search, request, response)
                  .error_message(),
              HasSubstr("page_token: "));
}

}  // namespace
}  // namespace radix::muster
