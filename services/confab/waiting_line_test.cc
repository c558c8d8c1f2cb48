#include "services/confab/waiting_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace radix::confab {
namespace {

// `id` / 100 is the number of its host.
std::string HostOfId(std::uint64_t id) { return std::to_string(id / 100); }

std::vector<std::uint64_t> Serve(WaitingLine& line) {
  std::vector<std::uint64_t> served;
  while (const auto id = line.next()) {
    served.push_back(*id);
    line.Leave(HostOfId(*id), *id);
  }
  return served;
}

TEST(WaitingLineTest, EachHostHasItsTurnBeforeAnyHasAnother) {
  WaitingLine line;
  EXPECT_FALSE(line.next());
  for (const std::uint64_t id : {101, 102, 103, 201, 202, 301}) line.Join(HostOfId(id), id);
  EXPECT_THAT(Serve(line), testing::ElementsAre(101, 201, 301, 102, 202, 103));
}

TEST(WaitingLineTest, ANewcomerWaitsForOneTurnOfEachHost) {
  WaitingLine line;
  for (std::uint64_t id = 101; id < 160; ++id) line.Join("1", id);
  for (std::uint64_t id = 201; id < 260; ++id) line.Join("2", id);
  line.Join("3", 301);
  EXPECT_EQ(Serve(line)[2], 301U);
}

TEST(WaitingLineTest, WhoGivesUpCostsItsHostNoTurn) {
  WaitingLine line;
  for (const std::uint64_t id : {101, 102, 201, 301}) line.Join(HostOfId(id), id);
  line.Leave("1", 102);
  line.Leave("2", 201);
  line.Leave("2", 201);
  line.Leave("1", 999);
  EXPECT_THAT(Serve(line), testing::ElementsAre(101, 301));
}

}  // namespace
}  // namespace radix::confab
