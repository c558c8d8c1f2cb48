#include "fulcrum/boot.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fulcrum/state_folder.h"
#include "fulcrum/supervisor.h"
#include "services/confab/backoff.h"
#include "services/confab/bindable.h"
#include "services/confab/entropy.h"
#include "services/confab/log.h"
#include "services/confab/node_key.h"
#include "services/confab/random.h"

namespace radix::fulcrum {
namespace {

// A step waits this long for its service, then the next one begins: a node whose network is broken
// still runs what needs none. The service is started again, with back-off, for as long as it takes.
constexpr Duration kStepLimit = 5s;

// What picket has to end its plugins, when the node ends.
constexpr Duration kGuestsLimit = 15s;

// What one service may have of private memory. With its program and libraries, which processes
// share, that stays below 256 MB. gRPC starts up to four threads for each processor, and a thread's
// stack counts whole although little of it is touched.
std::uint64_t ServiceMemoryMax() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;  // these map terabytes
#else
  constexpr std::uint64_t kMiB = 1 << 20;
  return 216 * kMiB + 4 * kMiB * std::max(1U, std::thread::hardware_concurrency());
#endif
}

// What passes by itself keeps a node waiting, not down.
class Patience {
 public:
  void Wait(const absl::Status& status) {
    const auto wait_ms = backoff_.Next(random_) / 1ms;
    spdlog::error("{}; trying again in {} ms", std::string(status.message()), wait_ms);
    poll(nullptr, 0, static_cast<int>(wait_ms));
  }

 private:
  Random random_{confab::RandomNumber()};
  Backoff backoff_{500ms, 30s};
};

// A full disk, for example, may have room later.
absl::StatusOr<StateFolder> AwaitStateFolder(const std::filesystem::path& path) {
  for (Patience patience;;) {
    auto folder = StateFolder::Take(path);
    if (folder.ok() || !MayPass(folder.status())) return folder;
    patience.Wait(folder.status());
  }
}

// What another process has it may give up, for example the node's own services, whose supervisor
// was killed a moment ago. Without its ports a node is half a node.
void AwaitPorts(const confab::ServiceArguments& node) {
  const Endpoint flock{node.node.address, node.charter.port};
  for (Patience patience;;) {
    const absl::Status status = node.flock_only
                                    ? confab::CheckBindable(confab::Transport::kUdp, flock)
                                    : confab::CheckNodePorts(flock.ip, flock.port);
    if (!absl::IsAlreadyExists(status)) return;
    patience.Wait(status);
  }
}

void Step(Supervisor& supervisor, int number, const std::string& service) {
  if (supervisor.told_to_stop()) return;
  spdlog::info("step {} of 5: starting {}, waiting until it serves", number, service);
  supervisor.Keep(service);
  if (!supervisor.AwaitReady(service, kStepLimit) && !supervisor.told_to_stop()) {
    spdlog::warn("step {} of 5: {} does not serve yet; going on without it", number, service);
  }
}

void BringUp(Supervisor& supervisor, bool flock_only) {
  // 1. Start flocking.
  Step(supervisor, 1, "flock");
  if (flock_only) {
    spdlog::info("--services none: no step follows");
    return;
  }

  // 2. Start the heartbeater, to which every service says that it lives.
  Step(supervisor, 2, "heartbeater");

  // 3. Start reeve; and the steward, on whichever node the flock made its sealed leader.
  Step(supervisor, 3, "reeve");
  supervisor.OnLeadership([&supervisor](std::optional<std::uint64_t> epoch) {
    if (!epoch) {
      supervisor.End("steward");
      supervisor.Want({{"dean", {}}});
      return;
    }
    supervisor.Keep("steward", {"--epoch", absl::StrCat(*epoch)});
    supervisor.Want({{"dean", {}}, {"proctor", {"--epoch", absl::StrCat(*epoch)}}});
  });

  // 4. Start picket, which runs everything else.
  Step(supervisor, 4, "picket");

  // 5. Through picket: dean, and the proctor beside the steward. That is what Want asked for in
  // step 3. From there on they start the rest: dean the node's own list, proctor the manifests.
  if (supervisor.told_to_stop()) return;
  spdlog::info("step 5 of 5: picket starts dean, and the proctor where this node leads");
}

void TakeDown(Supervisor& supervisor) {
  spdlog::info("draining: plugins, picket, steward, reeve, heartbeater; then leaving the flock");
  supervisor.EndGuests(kGuestsLimit);
  for (const char* service : {"picket", "steward", "reeve", "heartbeater", "flock"}) {
    supervisor.EndAndAwait(service);
  }
  supervisor.EndStrays();
  spdlog::info("down");
}

}  // namespace

int Boot(const confab::ServiceArguments& node) {
  // Were 0, 1 or 2 closed, sockets would take their places and get what was meant for people.
  while (const int fd = open("/dev/null", O_RDWR | O_CLOEXEC)) {
    if (fd > 2 || fd < 0) {
      close(fd);
      break;
    }
  }
  confab::StartLog("fulcrum");
  auto folder = AwaitStateFolder(node.node.state);
  if (!folder.ok()) {
    spdlog::error("{}", std::string(folder.status().message()));
    return 1;
  }
  folder->Upkeep();
  auto key = confab::HeldNodeKey::Take(node.node.state);
  if (!key.ok()) {
    spdlog::error("{}", std::string(key.status().message()));
    return 1;
  }
  AwaitPorts(node);
  std::vector<std::string> own_env;
  if (const std::string variable = key->Variable(); !variable.empty()) own_env.push_back(variable);
  auto supervisor = Supervisor::Create({.state = node.node.state,
                                        .arguments = confab::ToCommandLine(node),
                                        .own_env = std::move(own_env),
                                        .memory_max = ServiceMemoryMax(),
                                        .upkeep = [&folder, &key] {
                                          folder->Upkeep();
                                          key->Upkeep();
                                        }});
  if (!supervisor.ok()) {
    spdlog::error("{}", std::string(supervisor.status().message()));
    return 1;
  }
  spdlog::info("node {} at {} in bloc {}, quorum {} of {}", node.node.name,
               node.node.address.ToString(), node.charter.bloc, node.charter.quorum,
               node.charter.at_most);
  BringUp(**supervisor, node.flock_only);
  (*supervisor)->AwaitStop();
  TakeDown(**supervisor);
  return 0;
}

}  // namespace radix::fulcrum
