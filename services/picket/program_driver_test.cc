#include "services/picket/program_driver.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "clients/cpp/checksum.h"
#include "radix/pastiche/v1/pastiche.grpc.pb.h"
#include "services/confab/serve.h"

namespace radix::picket {
namespace {

using testing::HasSubstr;

constexpr char kProgram[] = "#!/bin/sh\nexit 0\n";

// A pastiche whose every file is at `path`.
class OneFile final : public pastiche::v1::PasticheService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Pull(grpc::CallbackServerContext* context,
                                 const pastiche::v1::PullRequest*,
                                 pastiche::v1::PullResponse* response) override {
    response->set_path(path);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(path.empty() ? grpc::Status(grpc::StatusCode::NOT_FOUND, "no peer has it")
                                 : grpc::Status::OK);
    return reactor;
  }
  std::string path;
};

class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "program-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    network_ = Network::At(folder);
    auto server =
        confab::Server::Start(network_.node, {.socket = "pastiche"}, {confab::Hosted(pastiche_)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = std::make_unique<PasticheClient>(network_, 10s);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(network_.node.state);
  }

  std::string Write(const std::string& name, const std::string& text, mode_t mode) const {
    const std::string path = network_.node.state / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  absl::Status Problem(const std::string& file) const {
    return OpenProgram(file, *client_).status();
  }
  static std::string Content(int fd) {
    std::string text(1000, '\0');
    const ssize_t size = pread(fd, text.data(), text.size(), 0);
    return text.substr(0, size > 0 ? static_cast<std::size_t>(size) : 0);
  }

  Network network_;
  OneFile pastiche_;
  std::unique_ptr<confab::Server> server_;
  std::unique_ptr<PasticheClient> client_;
};

TEST_F(ProgramTest, WhatWasVerifiedIsWhatRunsWhateverBecomesOfTheFile) {
  pastiche_.path = Write("file", kProgram, 0644);
  const auto program = OpenProgram(Sha256::Of(kProgram).ToString(), *client_);
  ASSERT_TRUE(program.ok()) << program.status();
  Write("file", "#!/bin/sh\nexit 7\n", 0644);
  EXPECT_EQ(Content(program->get()), kProgram);
  struct stat info {};
  ASSERT_EQ(fstat(program->get(), &info), 0);
  EXPECT_NE(info.st_mode & 0111, 0U);  // pastiche's own file is not executable
  EXPECT_EQ(fcntl(program->get(), F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
  EXPECT_EQ(fcntl(program->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(ProgramTest, RefusesOtherBytesThanThoseThatWereNamed) {
  pastiche_.path = Write("file", "#!/bin/sh\nexit 7\n", 0755);
  EXPECT_TRUE(absl::IsDataLoss(Problem(Sha256::Of(kProgram).ToString())));
}

TEST_F(ProgramTest, FollowsNoLinkOutOfPastiche) {
  Write("real", kProgram, 0755);
  pastiche_.path = network_.node.state / "link";
  std::filesystem::create_symlink("real", pastiche_.path);
  EXPECT_FALSE(Problem(Sha256::Of(kProgram).ToString()).ok());
}

TEST_F(ProgramTest, HandsOnThatNobodyHasIt) {
  const absl::Status status = Problem(Sha256::Of(kProgram).ToString());
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no peer has it"));
}

TEST_F(ProgramTest, RefusesWhatIsNoExecutable) {
  pastiche_.path = Write("text", "hello", 0755);
  EXPECT_TRUE(absl::IsFailedPrecondition(Problem(Sha256::Of("hello").ToString())));
  EXPECT_TRUE(absl::IsFailedPrecondition(Problem(pastiche_.path)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Problem(Write("plain", kProgram, 0644))));
  EXPECT_TRUE(absl::IsFailedPrecondition(Problem(network_.node.state)));
  EXPECT_TRUE(absl::IsNotFound(Problem(network_.node.state / "nothing")));
  const std::string pipe = network_.node.state / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0700), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(Problem(pipe)));
}

TEST_F(ProgramTest, OpensAnExecutableByItsPath) {
  const auto program = OpenProgram(Write("tool", kProgram, 0755), *client_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(Content(program->get()), kProgram);
}

}  // namespace
}  // namespace radix::picket
