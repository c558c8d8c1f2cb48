// Has reeve keep a door open for each plugin of others.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cpp/client_stream.h"
#include "clients/cpp/lasting_call.h"
#include "radix/trust/v1/door.pb.h"
#include "services/confab/node.h"
#include "services/confab/time.h"
#include "services/picket/plugin.h"

namespace radix::picket {

// A door, and for whom it is.
struct WantedDoor {
  std::string id;
  std::string horde;
  std::string service;
  std::string api;
  std::string inst;
  std::uint32_t uid = 0;  // 0: as the node

  bool operator==(const WantedDoor&) const = default;
};

// Holds the one stream on which reeve is told which doors there are to be; opens it anew, and says
// all again, whenever it ends. Thread-safe.
class Doors {
 public:
  // By id, as what plugins wanted to be registered that were refused.
  using Refusals = std::map<std::string, Registration>;

  // `on_refusals` is called on gRPC's threads when these have changed; it must not block, nor call
  // back.
  Doors(const confab::Node& node, std::function<void(const Refusals&)> on_refusals);
  ~Doors();
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;

  // From now on there are to be exactly these. Nothing is said before the first call: a picket that
  // does not know yet what runs would have its doors closed.
  void Want(const std::vector<WantedDoor>& doors);

  // The folder of a door that is wanted, once it is open. Unavailable, with the reason, when it is
  // not within `limit`; Aborted, when it is not wanted any more, or End was called.
  absl::StatusOr<std::string> Await(const std::string& id, Duration limit);

  // Nobody is to wait any more.
  void End();

 private:
  using Stream = ClientBidi<trust::v1::HoldDoorsRequest, trust::v1::HoldDoorsResponse>;
  using Call = LastingCall<Stream, trust::v1::HoldDoorsResponse>;

  struct Row {
    WantedDoor door;
    std::int64_t since = 0;  // the first set with it
  };

  std::unique_ptr<Call> MakeCall();
  trust::v1::HoldDoorsRequest Set();
  void HandleMessage(const trust::v1::HoldDoorsResponse& response);

  const confab::Node node_;
  const std::function<void(const Refusals&)> on_refusals_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Row> wanted_;
  std::int64_t number_ = 0;    // of that set
  std::int64_t sent_ = 0;      // of what reeve was told last
  std::int64_t answered_ = 0;  // of what it answered last
  std::map<std::string, trust::v1::DoorState> states_;
  Refusals refusals_;
  std::string last_error_;  // of the stream
  bool ending_ = false;
  std::mutex call_mutex_;       // taken first
  std::unique_ptr<Call> call_;  // last: its threads use the others
};

}  // namespace radix::picket
