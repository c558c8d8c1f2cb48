#include "services/pastiche/pastiche_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "clients/cpp/blocking_stream.h"
#include "clients/cpp/call.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/pastiche/pastiche_test.h"
#include "services/pastiche/put_driver.h"

namespace radix::pastiche {
namespace {

using testing::HasSubstr;
using Stub = v1::PasticheService::Stub;

v1::PutRequest Chunk(const std::string& data, const std::string& checksum = "") {
  v1::PutRequest request;
  request.set_data(data);
  request.set_checksum(checksum);
  return request;
}

class PasticheServiceTest : public testing::Test {
 protected:
  void Start(const ServiceOptions& options = {}) {
    node_.reset();
    node_ = std::make_unique<TestNode>("n1", folder_.path(), options);
    stub_ = v1::PasticheService::NewStub(confab::DialLocal(node_->node, "pastiche"));
  }

  void Begin(BlockingWriter<v1::PutRequest>& writer, v1::PutResponse& response) {
    writer.context().set_deadline(confab::WallNow() + 30s);
    stub_->async()->Put(&writer.context(), &response, &writer);
    writer.Begin();
  }

  grpc::Status Put(const std::vector<v1::PutRequest>& requests, v1::PutResponse& response) {
    BlockingWriter<v1::PutRequest> writer;
    Begin(writer, response);
    for (const v1::PutRequest& request : requests) {
      if (!writer.Write(request)) break;
    }
    return writer.End();
  }

  grpc::Status Get(const v1::GetRequest& request, std::string& content) {
    BlockingReader<v1::GetResponse> reader;
    reader.context().set_deadline(confab::WallNow() + 30s);
    stub_->async()->Get(&reader.context(), &request, &reader);
    reader.Begin();
    v1::GetResponse response;
    for (bool first = true; reader.Next(response, 30s); first = false) {
      if (first) size_bytes_ = response.size_bytes();
      EXPECT_TRUE(first || response.size_bytes() == 0);
      EXPECT_LE(response.data().size(), 256U * 1024);
      content += response.data();
    }
    return reader.End();
  }

  v1::GetRequest Request(const Checksum& checksum, std::int64_t offset = 0) const {
    v1::GetRequest request;
    request.set_checksum(checksum.ToString());
    request.set_offset_bytes(offset);
    request.set_local_only(true);
    return request;
  }

  TemporaryFolder folder_;
  std::unique_ptr<TestNode> node_;
  std::unique_ptr<Stub> stub_;
  std::int64_t size_bytes_ = -1;
};

TEST_F(PasticheServiceTest, StoresAStreamAndGivesItBackFromAnyOffset) {
  Start();
  const std::string content = RandomBytes(1, 1'500'000);
  const Checksum checksum = Sha256::Of(content);
  v1::PutResponse response;
  const grpc::Status put = Put({Chunk(content.substr(0, kPutChunkMax), checksum.ToString()),
                                Chunk(content.substr(kPutChunkMax))},
                               response);
  ASSERT_TRUE(put.ok()) << put.error_message();
  EXPECT_EQ(response.checksum(), checksum.ToString());
  EXPECT_EQ(response.size_bytes(), 1'500'000);
  for (const std::int64_t offset : {0, 1, 700'000, 1'500'000}) {
    std::string got;
    const grpc::Status status = Get(Request(checksum, offset), got);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(got, content.substr(static_cast<std::size_t>(offset)));
    EXPECT_EQ(size_bytes_, 1'500'000);
  }
}

TEST_F(PasticheServiceTest, ComputesTheChecksumThatIsNotNamedAndTakesAnEmptyFile) {
  Start();
  v1::PutResponse response;
  ASSERT_TRUE(Put({Chunk("")}, response).ok());
  EXPECT_EQ(response.checksum(), Sha256::Of("").ToString());
  std::string got;
  EXPECT_TRUE(Get(Request(Sha256::Of("")), got).ok());
  EXPECT_EQ(size_bytes_, 0);
}

TEST_F(PasticheServiceTest, StoresAndGivesBackFilesOfEverySizeAroundItsPieces) {
  Start();
  const PasticheClient client(Network::At(node_->node.state));
  constexpr std::size_t kPiece = std::size_t{256} * 1024;  // of a Get
  for (const std::size_t around : {std::size_t{1}, kPiece, kPutChunkMax, 4 * kPutChunkMax}) {
    for (const std::size_t size : {around - 1, around, around + 1}) {
      const std::string content = RandomBytes(size, size);
      const auto path = folder_.path() / "content";
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
      const auto checksum = client.PutFile(path);
      ASSERT_TRUE(checksum.ok()) << checksum.status();
      EXPECT_EQ(*checksum, Sha256::Of(content)) << size;
      std::string got;
      const grpc::Status status = Get(Request(*checksum), got);
      ASSERT_TRUE(status.ok()) << size << ": " << status.error_message();
      EXPECT_EQ(got, content) << size;
      EXPECT_EQ(size_bytes_, static_cast<std::int64_t>(size));
    }
  }
}

TEST_F(PasticheServiceTest, RefusesAWrongStreamByNameAndKeepsNothing) {
  Start();
  const std::string named = Sha256::Of("right").ToString();
  const struct {
    std::vector<v1::PutRequest> requests;
    std::string message;
  } cases[] = {
      {{Chunk("wrong", named)}, named},
      {{Chunk("righ", named)}, named},
      {{Chunk("right", named), Chunk("!")}, named},
      {{Chunk("right", "sha256:12")}, "checksum: 'sha256:12'"},
      {{Chunk("ri"), Chunk("ght", named)}, "first message only"},
      {{Chunk(std::string(kPutChunkMax + 1, 'x'))}, "data: 1048577 bytes"},
      {{}, "before its first message"},
  };
  for (const auto& [requests, message] : cases) {
    v1::PutResponse response;
    const grpc::Status status = Put(requests, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << message;
    EXPECT_THAT(status.error_message(), HasSubstr(message));
    EXPECT_TRUE(node_->Names().empty());
  }
}

TEST_F(PasticheServiceTest, ForgetsAPutWhoseCallerGoesAway) {
  Start();
  v1::PutResponse response;
  BlockingWriter<v1::PutRequest> writer;
  Begin(writer, response);
  ASSERT_TRUE(writer.Write(Chunk("half of it")));
  ASSERT_TRUE(Eventually([&] { return node_->Names().size() == 1; }));
  writer.Cancel();
  EXPECT_EQ(writer.End().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Eventually([&] { return node_->Names().empty(); }));
}

TEST_F(PasticheServiceTest, RefusesABadGetByName) {
  Start();
  const Checksum checksum = node_->Put("content");
  const struct {
    std::string checksum;
    std::int64_t offset;
    grpc::StatusCode code;
    std::string message;
  } cases[] = {
      {"", 0, grpc::StatusCode::INVALID_ARGUMENT, "checksum:"},
      {"../../etc/passwd", 0, grpc::StatusCode::INVALID_ARGUMENT, "checksum:"},
      {checksum.ToString(), -1, grpc::StatusCode::INVALID_ARGUMENT, "offset_bytes: -1"},
      {checksum.ToString(), 8, grpc::StatusCode::INVALID_ARGUMENT, "offset_bytes: 8"},
      {Sha256::Of("other").ToString(), 0, grpc::StatusCode::NOT_FOUND, "not on this node"},
  };
  for (const auto& [name, offset, code, message] : cases) {
    v1::GetRequest request;
    request.set_checksum(name);
    request.set_offset_bytes(offset);
    request.set_local_only(true);
    std::string content;
    const grpc::Status status = Get(request, content);
    EXPECT_EQ(status.error_code(), code) << name;
    EXPECT_THAT(status.error_message(), HasSubstr(message));
    EXPECT_TRUE(content.empty());
  }
}

TEST_F(PasticheServiceTest, EndsAGetOfADamagedFileWithDataLossAndSetsItAside) {
  Start();
  const std::string content = RandomBytes(2, 1'000'000);
  const Checksum checksum = node_->Put(content);
  const std::string path = node_->store->PathOf(checksum);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream(path, std::ios::in | std::ios::out).put(static_cast<char>(content[0] ^ 1));
  std::string got;
  EXPECT_EQ(Get(Request(checksum), got).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_LT(got.size(), content.size());
  EXPECT_EQ(Get(Request(checksum), got).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(node_->Names(), testing::ElementsAre("bad-" + checksum.Hex()));
}

TEST_F(PasticheServiceTest, ListsInPages) {
  Start();
  std::vector<std::string> put;
  for (int i = 0; i < 7; ++i) put.push_back(node_->Put(std::to_string(i)).ToString());
  std::sort(put.begin(), put.end());
  std::vector<std::string> listed;
  v1::ListFilesRequest request;
  request.set_page_size(3);
  int pages = 0;
  do {
    v1::ListFilesResponse response;
    ASSERT_TRUE(Call(*stub_->async(), &Stub::async::ListFiles, request, response).ok());
    for (const v1::File& file : response.files()) {
      listed.push_back(file.checksum());
      EXPECT_EQ(file.size_bytes(), 1);
    }
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < 10);
  EXPECT_EQ(listed, put);
  EXPECT_EQ(pages, 3);
  request.set_page_token("nonsense");
  v1::ListFilesResponse response;
  const grpc::Status status = Call(*stub_->async(), &Stub::async::ListFiles, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("page_token"));
}

TEST_F(PasticheServiceTest, RefusesMoreTransfersThanItsLimitAndTakesThemLater) {
  ServiceOptions options;
  options.transfers.transfers_max = 1;
  Start(options);
  const Checksum checksum = node_->Put("content");
  v1::PutResponse response;
  BlockingWriter<v1::PutRequest> writer;
  Begin(writer, response);
  ASSERT_TRUE(writer.Write(Chunk("held open")));
  ASSERT_TRUE(Eventually([&] { return node_->Names().size() == 2; }));
  v1::PutResponse second;
  EXPECT_EQ(Put({Chunk("x")}, second).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  std::string content;
  EXPECT_EQ(Get(Request(checksum), content).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(writer.End().ok());
  EXPECT_TRUE(Eventually([&] { return Put({Chunk("x")}, second).ok(); }));
}

TEST_F(PasticheServiceTest, EndsTransfersWhoseOtherSideStalls) {
  ServiceOptions options;
  options.transfers.stall_limit = 100ms;
  options.transfers.transfers_max = 1;
  Start(options);
  v1::PutResponse response;
  BlockingWriter<v1::PutRequest> writer;
  Begin(writer, response);
  ASSERT_TRUE(writer.Write(Chunk("half of it")));
  ASSERT_TRUE(Eventually([&] { return node_->Names().size() == 1; }));
  EXPECT_TRUE(Eventually([&] { return node_->Names().empty(); }));
  EXPECT_EQ(writer.End().error_code(), grpc::StatusCode::CANCELLED);

  const v1::GetRequest request = Request(node_->Put(std::string(32 << 20, 'x')));
  BlockingReader<v1::GetResponse> reader;
  stub_->async()->Get(&reader.context(), &request, &reader);
  reader.Begin();
  v1::GetResponse chunk;
  ASSERT_TRUE(reader.Next(chunk, 30s));
  // The transfer's place is free again only when the call has ended.
  v1::PutResponse other;
  EXPECT_TRUE(Eventually([&] { return Put({Chunk("x")}, other).ok(); }));
  while (reader.Next(chunk, 30s)) continue;
  EXPECT_EQ(reader.End().error_code(), grpc::StatusCode::CANCELLED);
}

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kMemoryMost =
    (32U << 20) + (256U << 20);  // so much of what was freed it keeps
#else
constexpr std::size_t kMemoryMost = 32U << 20;
#endif

TEST_F(PasticheServiceTest, HoldsLittleOfAFileWhoseReaderIsSlow) {
  Start();
  constexpr std::size_t kSize = 96 << 20;
  Checksum checksum;
  {
    auto incoming = node_->store->Begin(std::nullopt);
    const std::string piece = RandomBytes(3, 1 << 20);
    for (std::size_t i = 0; i < kSize / piece.size(); ++i)
      ASSERT_TRUE((*incoming)->Append(piece).ok());
    checksum = (*incoming)->Commit()->checksum;
  }
  const std::size_t before = ResidentBytes();
  const v1::GetRequest request = Request(checksum);
  BlockingReader<v1::GetResponse> reader;
  reader.context().set_deadline(confab::WallNow() + 30s);
  stub_->async()->Get(&reader.context(), &request, &reader);
  reader.Begin();
  v1::GetResponse response;
  std::size_t got = 0;
  std::size_t most = 0;
  while (reader.Next(response, 30s)) {
    got += response.data().size();
    if (got < (8U << 20)) std::this_thread::sleep_for(10ms);  // slow, so that the sender is ahead
    most = std::max(most, ResidentBytes());
  }
  EXPECT_TRUE(reader.End().ok());
  EXPECT_EQ(got, kSize);
  EXPECT_LT(most, before + kMemoryMost);
}

}  // namespace
}  // namespace radix::pastiche
