// Carries out what the table of plugins decides: programs, the supervisor, time.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/pastiche_client.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/picket/doors_driver.h"
#include "services/picket/plugin_table.h"
#include "services/picket/supervisor_codec.h"
#include "services/picket/user_table.h"

namespace radix::picket {

// The plugins of one node. Nothing here waits for long, so it may be called from gRPC's reactions;
// callbacks come from any thread and must not call back. Thread-safe.
class Plugins {
 public:
  static constexpr std::size_t kWatchersMax = 64;
  static constexpr std::size_t kWaitersMax = 1024;

  using Done = std::function<void(const absl::StatusOr<Plugin>&)>;
  using Watcher = std::function<void(const std::vector<Plugin>&)>;

  // Takes over what an earlier picket left, over `link`, the descriptor of the link to the
  // supervisor, which it shuts down at its end. DeadlineExceeded when the supervisor says nothing
  // for 5 s.
  static absl::StatusOr<std::unique_ptr<Plugins>> Resume(const confab::ServiceArguments& node,
                                                         int link);
  ~Plugins();
  Plugins(const Plugins&) = delete;
  Plugins& operator=(const Plugins&) = delete;

  // See PicketService. `done` is called once.
  void Start(std::uint64_t epoch, const PluginSpec& spec, Done done);
  absl::Status Stop(std::uint64_t epoch, const std::string& id, Duration grace);
  std::vector<Plugin> List();

  // Calls `watcher` with the list, now and after each change, until Unwatch. nullopt when there are
  // kWatchersMax already.
  std::optional<std::uint64_t> Watch(Watcher watcher);
  void Unwatch(std::uint64_t watch);

  // Has picket take a turn, then calls `then` on its thread; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_->AfterTurn(std::move(then)); }

 private:
  Plugins(const confab::ServiceArguments& node, int link);

  void Listen();
  void Handle(const News& news);
  void Settle();
  void CarryOut(const Order& order);
  void Work();
  void Launch(const PluginSpec& spec);
  absl::Status LaunchGuest(const PluginSpec& spec);
  void WantDoors(const std::vector<Plugin>& plugins);
  std::optional<std::uint32_t> UserOf(const PluginSpec& spec);
  absl::Status Tell(const nlohmann::json& message, int fd = -1);
  std::vector<std::string> ArgvOf(const PluginSpec& spec) const;
  std::vector<std::string> EnvOf(const PluginSpec& spec, const std::string& state) const;

  const confab::ServiceArguments node_;
  const int link_;
  const PasticheClient pastiche_;
  const bool as_others_;  // plugins run as users of their own

  std::mutex mutex_;
  std::condition_variable changed_;
  PluginTable table_;
  UserTable users_;
  std::map<std::string, std::vector<Done>> waiters_;  // for the Outcome of a plugin
  std::size_t waiter_count_ = 0;
  std::map<std::uint64_t, Watcher> watchers_;
  std::uint64_t next_watch_ = 1;
  std::uint64_t shown_revision_ = 0;
  bool doors_wanted_ = false;        // reeve was told of some, or of none
  std::deque<PluginSpec> launches_;  // at most one for each plugin
  bool resumed_ = false;
  bool ending_ = false;

  // These have threads that use the above.
  std::unique_ptr<confab::TimerThread> timer_;
  std::unique_ptr<Doors> doors_;
  std::vector<std::thread> threads_;
};

}  // namespace radix::picket
