// The processes that the supervisor has started, by number: how they are started, what they say,
// and whether they go on saying that they are alive.
//
// Services of the fulcrum binary have a link to the supervisor, and are killed when they fall
// silent. Programs of others have none.

#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fulcrum/link.h"
#include "fulcrum/watchdog.h"
#include "services/confab/descriptor.h"
#include "services/confab/time.h"

namespace radix::fulcrum {

// What is to be started.
struct ChildOptions {
  std::string name;               // of its log, and in messages for people
  std::vector<std::string> argv;  // argv[0] too
  std::vector<std::string> env;
  confab::Descriptor file;  // the program; none: a service of the fulcrum binary
  std::uint32_t uid = 0;    // as which user and group the program runs; 0: as this process
};

// Not thread-safe. Children die with the thread that starts them (PR_SET_PDEATHSIG).
class ChildProcesses {
 public:
  // A message from a child, and the descriptor that came with it. An error: it made no sense.
  using Handler =
      std::function<absl::Status(pid_t pid, const nlohmann::json& body, confab::Descriptor file)>;

  // `program` is the fulcrum binary; its services get `own_env` too, and as much memory as
  // spawn.h says of `memory_max`; logs are STATE/log/NAME.log.
  ChildProcesses(std::filesystem::path program, std::vector<std::string> own_env,
                 std::uint64_t memory_max, std::filesystem::path state,
                 const WatchdogOptions& watchdog)
      : program_(std::move(program)),
        own_env_(std::move(own_env)),
        memory_max_(memory_max),
        state_(std::move(state)),
        watchdog_(watchdog) {}

  // Starts one. ResourceExhausted or Internal, with the system's message, when it cannot.
  absl::StatusOr<pid_t> Start(ChildOptions options, Instant now);

  // Whether that is one of them and has not been reaped.
  bool Has(pid_t pid) const { return children_.contains(pid); }

  // Queues a message to a service. One that does not read is killed; nothing happens when there is
  // no such service.
  void Tell(pid_t pid, const nlohmann::json& message);

  // Asks one to end: SIGTERM. From then on it may be silent.
  void Terminate(pid_t pid);

  // It has said that it is alive; it has been reaped.
  void HandleAlive(pid_t pid, Instant now) { watchdog_.HandleAlive(pid, now); }
  void HandleExit(pid_t pid);

  // Appends the links, for poll(2). Then Receive with what came of exactly those takes at most one
  // message of each; `handler` may start and end children. A service that closed its link, or whose
  // messages made no sense too often, is killed.
  void AddPolled(std::vector<pollfd>& polled);
  void Receive(std::span<const pollfd> polled, const Handler& handler);

  // Kills those that hang; that counts as a crash. To be called at NextTimeout, and after Receive.
  void HandleTimeout(Instant now);
  std::optional<Instant> NextTimeout() const { return watchdog_.NextTimeout(); }

 private:
  struct Child {
    std::string name;
    std::optional<Link> link;
  };

  void ReceiveFrom(pid_t pid, const Handler& handler);

  const std::filesystem::path program_;
  const std::vector<std::string> own_env_;
  const std::uint64_t memory_max_;
  const std::filesystem::path state_;
  Watchdog watchdog_;
  std::map<pid_t, Child> children_;
  std::vector<pid_t> polled_;  // whose links AddPolled appended
};

}  // namespace radix::fulcrum
