#include "services/reeve/doors_driver.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/serve.h"
#include "services/reeve/bound_heartbeater_service.h"
#include "services/reeve/bound_pairing_service.h"
#include "services/reeve/bound_reeve_service.h"

namespace radix::reeve {
namespace {

namespace fs = std::filesystem;
using trust::Door;
using trust::DoorOrder;

// So that whoever waits for a turn need not wait for all of several hundred doors.
constexpr int kOrdersPerTurn = 8;
constexpr char kSocket[] = "reeve";
constexpr char kOtherSocket[] = "heartbeater.sock";

// Makes a folder that others may pass through, or nobody, where it is missing. What is there must
// be this user's, and nobody else's to change.
absl::Status MakeRoot(const fs::path& path, mode_t mode) {
  const std::string name = path.string();
  if (mkdir(name.c_str(), mode) != 0 && errno != EEXIST) return absl::ErrnoToStatus(errno, name);
  struct stat info {};
  if (lstat(name.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, name);
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": must be a folder of this user, which nobody else may change"));
  }
  // Whatever the umask is.
  if (chmod(name.c_str(), mode) != 0) return absl::ErrnoToStatus(errno, name);
  return absl::OkStatus();
}

// Has the heartbeater's socket be reeve's: what is behind a door is one server.
absl::Status LinkOther(const fs::path& folder) {
  const std::string path = folder / kOtherSocket;
  if (path.size() > confab::kSocketPathBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is longer than ",
                                                   confab::kSocketPathBytesMax,
                                                   " bytes; choose a shorter state folder"));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return absl::ErrnoToStatus(errno, path);
  const std::string target = absl::StrCat(kSocket, ".sock");
  if (symlink(target.c_str(), path.c_str()) != 0) return absl::ErrnoToStatus(errno, path);
  return absl::OkStatus();
}

}  // namespace

struct Doors::Told {
  mutable std::mutex mutex;
  trust::DoorTable table{confab::RandomNumber()};
  std::mutex calling;  // taken first; never together with the other
  std::function<void()> changed;

  void Changed() {
    const std::lock_guard lock(calling);
    if (changed) changed();
  }
  // Tells the table something; with its lock held.
  template <typename Tell>
  auto With(Tell tell) {
    const std::lock_guard lock(mutex);
    return tell(table);
  }
};

// Destroyed from the bottom: the server goes before what it serves.
struct Doors::OpenDoor {
  fs::path folder;
  BoundReeveService reeve;
  BoundPairingService pairing;
  BoundHeartbeaterService heartbeater;
  std::unique_ptr<confab::Server> server;

  // False when a call does not end: then this must stay.
  bool End() {
    heartbeater.EndStreams();
    return server == nullptr || server->Shutdown(0s);
  }
};

Doors::Doors(const confab::Node& node, Behind behind, fs::path run)
    : node_(node),
      behind_(behind),
      run_(std::move(run)),
      own_run_(run_ / trust::ShortNameOf(fs::absolute(node.state).lexically_normal().string())),
      told_(std::make_shared<Told>()),
      timer_([this](Instant now) { return Tick(now); }) {}

Doors::~Doors() {
  OnChange(nullptr);
  const std::lock_guard lock(open_mutex_);
  ending_ = true;
  for (auto& [id, door] : open_) End(std::move(door));
  open_.clear();
}

absl::Status Doors::HandleSet(std::int64_t number, const std::vector<Door>& doors) {
  auto status = told_->With([&](auto& table) { return table.HandleSet(number, doors); });
  if (status.ok()) timer_.Wake();
  return status;
}

std::optional<Doors::Snapshot> Doors::Since(std::uint64_t revision) const {
  const std::lock_guard lock(told_->mutex);
  const trust::DoorTable& table = told_->table;
  if (table.revision() == revision) return std::nullopt;
  return Snapshot{table.number(), table.Report(), table.revision()};
}

void Doors::OnChange(std::function<void()> changed) {
  const std::lock_guard lock(told_->calling);
  told_->changed = std::move(changed);
}

Instant Doors::Tick(Instant now) {
  for (int i = 0; i < kOrdersPerTurn; ++i) {
    const auto order = told_->With([now](auto& table) { return table.PollOrder(now); });
    if (!order) return told_->With([](auto& table) { return table.NextTimeout(); });
    CarryOut(*order);
    told_->Changed();
  }
  return now;
}

void Doors::CarryOut(const DoorOrder& order) {
  switch (order.kind) {
    case DoorOrder::Kind::kSweep:
      Sweep(order.wanted);
      told_->With([](auto& table) { table.HandleSwept(); });
      return;
    case DoorOrder::Kind::kClose:
      Close(order.door);
      told_->With([](auto& table) { table.HandleClosed(); });
      return;
    case DoorOrder::Kind::kOpen: {
      const auto folder = Open(order.door);
      if (!folder.ok()) {
        spdlog::warn("the door of {}: {}", order.door.id, std::string(folder.status().message()));
      }
      told_->With([&](auto& table) {
        if (folder.ok()) return table.HandleOpened(*folder);
        table.HandleOpenFailed(folder.status(), confab::Now());
      });
      return;
    }
  }
}

fs::path Doors::RootOf(const Door& door) const {
  return door.uid == 0 ? node_.state / "doors" : own_run_;
}

fs::path Doors::FolderOf(const Door& door) const {
  return RootOf(door) / trust::ShortNameOf(door.id);
}

void Doors::Sweep(const std::vector<Door>& wanted) const {
  std::set<fs::path> kept;
  for (const Door& door : wanted) kept.insert(FolderOf(door));
  for (const fs::path& root : {node_.state / "doors", own_run_}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root, error)) {
      std::error_code ignored;
      if (!kept.contains(entry.path())) fs::remove_all(entry.path(), ignored);
    }
  }
}

absl::StatusOr<std::string> Doors::Open(const Door& door) {
  absl::Status made;
  if (door.uid != 0) made = MakeRoot(run_, 0711);
  if (made.ok()) made = MakeRoot(RootOf(door), door.uid == 0 ? 0700 : 0711);
  if (!made.ok()) return made;
  // Nobody who is behind the door hears of it after it was closed, but maybe a moment later.
  const std::weak_ptr<Told> weak = told_;
  const auto tell = [weak, id = door.id](auto say) {
    const auto told = weak.lock();
    if (told == nullptr) return;
    const bool changed = told->With([&](trust::DoorTable& table) {
      const std::uint64_t before = table.revision();
      say(table, id);
      return table.revision() != before;
    });
    if (changed) told->Changed();
  };
  const BoundHeartbeaterService::Handlers handlers{
      .on_refused =
          [tell](const trust::Claim& said) {
            tell([&said](auto& table, const auto& id) { table.HandleRefused(id, said); });
          },
      .on_taken = [tell] { tell([](auto& table, const auto& id) { table.HandleTaken(id); }); }};
  std::unique_ptr<OpenDoor> opened(
      new OpenDoor{.folder = FolderOf(door),
                   .reeve = {door, behind_.reeve, watches_},
                   .pairing = {door, behind_.pairing},
                   .heartbeater = {door, node_, behind_.rules, behind_.pairing, handlers},
                   .server = nullptr});
  confab::Node place = node_;
  place.state = opened->folder;
  place.identity = nullptr;
  confab::ListenOptions options{
      .socket = kSocket, .connections_max = 64, .calls_max = 64, .describes_itself = false};
  if (door.uid != 0) options.group = door.uid;
  auto server =
      confab::Server::Start(place, options,
                            {confab::Hosted(opened->reeve), confab::Hosted(opened->pairing),
                             confab::Hosted(opened->heartbeater)});
  if (!server.ok()) return server.status();
  opened->server = *std::move(server);
  if (auto linked = LinkOther(place.state); !linked.ok()) return linked;
  {
    const std::lock_guard lock(open_mutex_);
    if (!ending_) {
      open_[door.id] = std::move(opened);
      return place.state.string();
    }
  }
  End(std::move(opened));
  return absl::CancelledError("reeve is shutting down");
}

void Doors::Close(const Door& door) {
  std::unique_ptr<OpenDoor> closing;
  {
    const std::lock_guard lock(open_mutex_);
    const auto found = open_.find(door.id);
    if (found == open_.end()) return;
    closing = std::move(found->second);
    open_.erase(found);
  }
  End(std::move(closing));
}

void Doors::End(std::unique_ptr<OpenDoor> door) {
  const fs::path folder = door->folder;
  if (!door->End()) {
    spdlog::warn("the door at {}: a call does not end; it is left behind", folder.string());
    door.release();
  }
  std::error_code error;
  fs::remove_all(folder, error);
  fs::remove(folder.parent_path(), error);  // when it was the last
}

void Doors::EndStreams() {
  const std::lock_guard lock(open_mutex_);
  ending_ = true;
  for (const auto& [id, door] : open_) door->heartbeater.EndStreams();
}

}  // namespace radix::reeve
