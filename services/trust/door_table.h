// Decides which doors are opened and closed, so that there are those which picket wants.
//
// A core: it opens nothing and knows no clock. Its caller carries out what PollOrder asks for, one
// order at a time, and says what came of it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/confab/backoff.h"
#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/trust/plugin_door.h"

namespace radix::trust {

// What is to be done.
struct DoorOrder {
  enum class Kind : std::uint8_t {
    kSweep,  // remove what an earlier reeve left of doors but those; answer HandleSwept
    kOpen,   // answer HandleOpened or HandleOpenFailed
    kClose,  // answer HandleClosed
  };
  Kind kind = Kind::kOpen;
  Door door;
  std::vector<Door> wanted;  // only with kSweep
};

// How a door is.
struct DoorReport {
  std::string id;
  std::string folder;  // empty: it is not open
  std::string error;   // why not; empty: it is about to be
  // As what its plugin wanted to be registered when it was refused last, and not taken since. No
  // `service`.
  std::optional<Claim> refused;
};

// The doors of a node. Not thread-safe.
class DoorTable {
 public:
  static constexpr std::size_t kMost = 1024;
  static constexpr Duration kFirstWait = 50ms;
  static constexpr Duration kMostWait = 2s;

  explicit DoorTable(std::uint64_t seed) : random_(seed) {}

  // From now on there are to be exactly these. A door that stays as it was is left alone.
  // InvalidArgument, naming the field, when there are too many or two of one id; then nothing
  // changes.
  absl::Status HandleSet(std::int64_t number, const std::vector<Door>& doors);

  // The next thing to do; nullopt for nothing now, or before the last one was answered.
  std::optional<DoorOrder> PollOrder(Instant now);

  void HandleSwept();
  void HandleOpened(const std::string& folder);
  // It is tried again, with back-off.
  void HandleOpenFailed(const absl::Status& why, Instant now);
  void HandleClosed();

  // The plugin of that door wanted to be registered so, and was refused; or was taken.
  void HandleRefused(const std::string& id, const Claim& said);
  void HandleTaken(const std::string& id);

  // When PollOrder may have something again; Instant::max(): when something was handled.
  Instant NextTimeout() const;

  // The number of the last set, 0 before the first; and how its doors are, by id.
  std::int64_t number() const { return number_; }
  std::vector<DoorReport> Report() const;

  // Raised by every change of these two.
  std::uint64_t revision() const { return revision_; }

 private:
  struct Wanted {
    Door door;
    Backoff wait{kFirstWait, kMostWait};
    std::optional<Instant> retry_at;  // it could not be opened
    std::string error;
    std::optional<Claim> refused;
  };
  struct Open {
    Door door;
    std::string folder;
  };

  Random random_;
  std::int64_t number_ = 0;
  std::uint64_t revision_ = 0;
  std::map<std::string, Wanted> wanted_;
  std::map<std::string, Open> open_;
  bool swept_ = false;
  std::optional<DoorOrder> under_way_;
};

}  // namespace radix::trust
