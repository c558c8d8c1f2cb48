#include "clients/cli/start_nodes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "absl/status/status.h"

namespace radix::cli {
namespace {

std::vector<LabNode> Nodes(int count) {
  std::vector<LabNode> nodes;
  for (int i = 1; i <= count; ++i) nodes.push_back({.name = "n" + std::to_string(i)});
  return nodes;
}

int NumberOf(const LabNode& node) { return std::stoi(node.name.substr(1)); }

TEST(StartNodesTest, TellsTheProcessesInTheOrderOfTheNodes) {
  const auto processes = StartNodes(Nodes(200), [](const LabNode& node) {
    return ProcessId{.pid = NumberOf(node), .start_ticks = 7};
  });
  ASSERT_TRUE(processes.ok()) << processes.status();
  ASSERT_EQ(processes->size(), 200);
  for (int i = 0; i < 200; ++i) EXPECT_EQ((*processes)[static_cast<std::size_t>(i)].pid, i + 1);
}

TEST(StartNodesTest, NobodyWaitsForAnothersStart) {
  std::mutex mutex;
  std::condition_variable all_started;
  int started = 0;
  const auto processes =
      StartNodes(Nodes(30), [&](const LabNode& node) -> absl::StatusOr<ProcessId> {
        std::unique_lock lock(mutex);
        if (++started == 30) all_started.notify_all();
        if (!all_started.wait_for(lock, std::chrono::seconds(20), [&] { return started == 30; })) {
          return absl::DeadlineExceededError(node.name + " is alone");
        }
        return ProcessId{.pid = NumberOf(node)};
      });
  EXPECT_TRUE(processes.ok()) << processes.status();
}

TEST(StartNodesTest, AfterAFailureNoFurtherNodeIsStarted) {
  std::atomic<int> started = 0;
  const auto processes =
      StartNodes(Nodes(10000), [&](const LabNode& node) -> absl::StatusOr<ProcessId> {
        ++started;
        if (NumberOf(node) >= 5) return absl::NotFoundError("no program for " + node.name);
        return ProcessId{.pid = NumberOf(node)};
      });
  EXPECT_TRUE(absl::IsNotFound(processes.status())) << processes.status();
  EXPECT_LE(started, 4 + 64) << "it tried on";
}

TEST(StartNodesTest, NoNodesAreNoFailure) {
  const auto processes = StartNodes({}, [](const LabNode&) { return ProcessId{}; });
  ASSERT_TRUE(processes.ok()) << processes.status();
  EXPECT_TRUE(processes->empty());
}

}  // namespace
}  // namespace radix::cli
