#include "clients/cli/ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace radix::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const LabNode kNode{.name = "n3", .address = {}, .labels = {}, .state = "/lab/n3"};

std::string Said(const absl::Status& status) {
  return std::string(Explain(kNode, "dean", status).message());
}

TEST(AskTest, AServiceThatDoesNotListenIsSaidNotToAnswer) {
  EXPECT_THAT(Said(absl::UnavailableError("failed to connect to all addresses; last error: "
                                          "UNKNOWN: unix:/lab/n3/dean.sock: Connection refused")),
              AllOf(HasSubstr("dean of n3 does not answer at /lab/n3/dean.sock"),
                    HasSubstr("`radix lab status`"), HasSubstr("--node")));
  EXPECT_THAT(Said(absl::DeadlineExceededError("Deadline Exceeded")),
              HasSubstr("dean of n3 does not answer"));
}

TEST(AskTest, AServiceWhoseOwnQuestionFindsNobodyIsNotSaidToBeSilent) {
  EXPECT_THAT(Said(absl::UnavailableError("failed to connect to all addresses; last error: "
                                          "UNKNOWN: ipv4:127.61.0.2:43575: Connection refused")),
              AllOf(HasSubstr("dean of n3 does not reach whom it asks; try again"),
                    HasSubstr("127.61.0.2:43575"), Not(HasSubstr("dean.sock"))));
}

TEST(AskTest, AServiceThatDiesWhileItAnswersIsToBeAskedAgain) {
  EXPECT_EQ(Said(absl::UnavailableError("Socket closed")), "dean of n3: Socket closed; try again");
}

TEST(AskTest, WhatAServiceAnswersIsPassedOn) {
  EXPECT_EQ(Said(absl::UnavailableError("there is no proctor now; try again")),
            "dean of n3: there is no proctor now; try again");
  EXPECT_EQ(Said(absl::UnavailableError("not enough nodes had it on disk; apply again")),
            "dean of n3: not enough nodes had it on disk; apply again");
  EXPECT_TRUE(absl::IsNotFound(Explain(kNode, "dean", absl::NotFoundError("no"))));
}

TEST(AskTest, WhatIsWrongWithAFileIsNotPastichesWord) {
  const absl::Status own = absl::NotFoundError("out/copy: No such file or directory");
  EXPECT_EQ(ExplainFile(kNode, "out/copy", own), own);
  EXPECT_EQ(ExplainFile(kNode, "out/copy", absl::NotFoundError("nobody has it")).message(),
            "pastiche of n3: nobody has it");
}

}  // namespace
}  // namespace radix::cli
