#include "services/confab/process_stat.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace radix::confab {
namespace {

// A whole line as the kernel writes it, with `name` as the process's name.
std::string Line(const std::string& name) {
  return "4711 (" + name +
         ") S 17 4711 4711 0 -1 4194560 1101 0 0 0 3 4 5 6 20 0 1 0 987654321012 2703360 225 "
         "18446744073709551615 1 1 0 0 0 0 0 4096 16384 0 0 0 17 1 0 0 0 0 0\n";
}

TEST(ProcessStatTest, NoNameMisleadsIt) {
  for (const char* name :
       {"sh", "two words", "a) R 1 1 (b", "((", "))", ") Z 99", "", "line\nend"}) {
    const auto stat = ParseProcessStat(Line(name));
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->state, 'S') << name;
    EXPECT_EQ(stat->parent, 17) << name;
    EXPECT_EQ(stat->start_ticks, 987654321012) << name;
  }
}

TEST(ProcessStatTest, WhatIsCutShortIsNone) {
  const std::string whole = Line("two words");
  const std::size_t end = whole.find("987654321012");
  for (std::size_t size = 0; size <= end; ++size) {
    EXPECT_FALSE(ParseProcessStat(whole.substr(0, size))) << size;
  }
}

TEST(ProcessStatTest, ReadsRunningProcessesAndZombies) {
  prctl(PR_SET_NAME, "a) (b c");
  const auto own = ReadProcessStat(getpid());
  ASSERT_TRUE(own);
  EXPECT_EQ(own->parent, getppid());
  EXPECT_GT(own->start_ticks, 0);

  const pid_t child = fork();
  if (child == 0) pause();
  const auto running = ReadProcessStat(child);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->parent, getpid());
  EXPECT_GE(running->start_ticks, own->start_ticks);
  kill(child, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const auto zombie = ReadProcessStat(child);
  ASSERT_TRUE(zombie);
  EXPECT_EQ(zombie->state, 'Z');
  EXPECT_EQ(zombie->start_ticks, running->start_ticks);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(ReadProcessStat(child));
}

}  // namespace
}  // namespace radix::confab
