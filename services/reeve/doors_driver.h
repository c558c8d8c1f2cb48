// Carries out what the table of doors decides: folders, sockets, servers.

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/reeve/quota_driver.h"
#include "services/reeve/watched_reeve_service.h"
#include "services/trust/current_rules_driver.h"
#include "services/trust/door_table.h"
#include "services/trust/pairing_service.h"

namespace radix::reeve {

// The doors of a node's plugins, each a folder with a `reeve.sock` and a `heartbeater.sock`, which
// is the same one. A door of a plugin that runs as another user is below `run`, since nobody else
// may enter the node's own folder; all others are below STATE/doors.
//
// Thread-safe.
class Doors {
 public:
  // What is behind every door; it must outlive this.
  struct Behind {
    WatchedReeve& reeve;
    trust::PairingServiceImpl& pairing;
    trust::CurrentRules& rules;
  };

  // How the doors are, and which number the set has that this is about.
  struct Snapshot {
    std::int64_t number = 0;
    std::vector<trust::DoorReport> doors;
    std::uint64_t revision = 0;
  };

  Doors(const confab::Node& node, Behind behind, std::filesystem::path run = "/run/radix");
  // Closes the doors, without a trace: the node ends, or the next reeve opens them at the same
  // place.
  ~Doors();

  // As DoorTable::HandleSet.
  absl::Status HandleSet(std::int64_t number, const std::vector<trust::Door>& doors);

  // nullopt when nothing has changed since that revision.
  std::optional<Snapshot> Since(std::uint64_t revision) const;

  // `changed` is called on any thread when Since may have something new, until it is set to
  // another; it must be quick and not call back.
  void OnChange(std::function<void()> changed);

  // Has the thread that opens and closes take a turn, then calls `then`; see clients/cpp/pulse.h.
  void AfterTurn(std::function<void()> then) { timer_.AfterTurn(std::move(then)); }

  // Ends the streams that doors relay, and all that would come later.
  void EndStreams();

 private:
  struct OpenDoor;
  // What is told of what happens at doors; it outlives this as long as something happens there.
  struct Told;

  Instant Tick(Instant now);
  void CarryOut(const trust::DoorOrder& order);
  void Sweep(const std::vector<trust::Door>& wanted) const;
  absl::StatusOr<std::string> Open(const trust::Door& door);
  void Close(const trust::Door& door);
  // Ends what is behind it, and removes its folder.
  static void End(std::unique_ptr<OpenDoor> door);
  std::filesystem::path RootOf(const trust::Door& door) const;
  std::filesystem::path FolderOf(const trust::Door& door) const;

  const confab::Node node_;
  const Behind behind_;
  const std::filesystem::path run_;
  const std::filesystem::path own_run_;  // this node's, below that
  const std::shared_ptr<Told> told_;
  Quota watches_{3072};  // of the 4,096 that the node's reeve has
  std::mutex open_mutex_;
  std::map<std::string, std::unique_ptr<OpenDoor>> open_;
  bool ending_ = false;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::reeve
