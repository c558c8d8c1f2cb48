// The parent of everything on a node: starts processes, sees them end, and listens to them.
//
// One thread around poll(2), and no gRPC: what everything depends on must not die of a library.
// It decides little: keeper.h has when a service starts and stops, guests.h whose a process is,
// watchdog.h which of them hangs; child_processes.h starts them and listens.

#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fulcrum/child_processes.h"
#include "fulcrum/guests.h"
#include "fulcrum/keeper.h"
#include "fulcrum/link_codec.h"
#include "fulcrum/watchdog.h"
#include "services/confab/descriptor.h"

namespace radix::fulcrum {

struct SupervisorOptions {
  // Where logs go: STATE/log/SERVICE.log. The folder is there already.
  std::filesystem::path state;
  // What every service is told, behind its name.
  std::vector<std::string> arguments;
  // The multi-call binary. Default: the running one, whatever lies at its path by now.
  std::filesystem::path program = "/proc/self/exe";
  // What services of that binary get in their environment, and nobody else, as NAME=value.
  std::vector<std::string> own_env;
  // What each of them may have of private memory, in bytes; 0: any amount. One that needs more ends
  // and is started again. See spawn.h.
  std::uint64_t memory_max = 0;
  // Called about every second; nothing else is done meanwhile. May be empty.
  std::function<void()> upkeep;
  KeeperOptions keeper;
  WatchdogOptions watchdog;
};

// One in a process, used from one thread. Children die with that thread (PR_SET_PDEATHSIG), so it
// must be the main one.
class Supervisor {
 public:
  // Takes SIGCHLD, SIGTERM, SIGINT and SIGHUP over for the process, and its orphaned grandchildren.
  // Internal, with the system's message, if it cannot.
  static absl::StatusOr<std::unique_ptr<Supervisor>> Create(SupervisorOptions options);

  // Has `service` run, with `arguments` behind the common ones, until End. See Keeper.
  void Keep(const std::string& service, const std::vector<std::string>& arguments = {});
  void End(const std::string& service);

  // What picket is to run for this node, from now on.
  void Want(std::vector<Wanted> wanted);

  // Calls `handler` with the epoch under which this node is the sealed leader, nullopt while it is
  // not: now, and whenever that changes.
  void OnLeadership(std::function<void(std::optional<std::uint64_t>)> handler);

  // Does its work until `service` serves. False after `limit`, or when told to stop.
  bool AwaitReady(const std::string& service, Duration limit);

  // Does its work until SIGTERM, SIGINT or SIGHUP arrives.
  void AwaitStop();

  // Whether one has arrived.
  bool told_to_stop() const { return stop_signals_ > 0; }

  // Ends all that runs for picket: asks picket to, and after `limit` kills what is left. From now
  // on nothing is started for it, and a second such signal makes every limit zero.
  void EndGuests(Duration limit);

  // Ends `service` and waits until it has.
  void EndAndAwait(const std::string& service);

  // Kills whatever is still there: grandchildren whose parents left them behind.
  void EndStrays();

 private:
  explicit Supervisor(SupervisorOptions options);

  bool RunUntil(const std::function<bool()>& done, Duration limit);
  void Turn(Instant until);
  void TakeSignals();
  void Reap();
  void EndOrphans();
  void HandleExit(pid_t pid, int wait_status);
  void CarryOut();
  void Start(const Action& action);
  void Greet(pid_t picket);
  absl::Status Handle(pid_t speaker, const nlohmann::json& body, confab::Descriptor file);
  void StartGuest(const Spawn& spawn, confab::Descriptor file);
  void SignalGuest(const Kill& order);
  void TellPicket(const nlohmann::json& message);
  void SetLeadership(std::optional<std::uint64_t> epoch);

  SupervisorOptions options_;
  confab::Descriptor signals_;
  ChildProcesses children_;
  Keeper keeper_;
  Guests guests_;
  std::vector<Wanted> wanted_;
  std::uint64_t fence_ = 0;
  std::optional<std::uint64_t> leadership_;
  std::function<void(std::optional<std::uint64_t>)> on_leadership_;
  Instant upkeep_at_;
  int stop_signals_ = 0;
  bool ending_ = false;
};

}  // namespace radix::fulcrum
