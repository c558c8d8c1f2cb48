#include "services/picket/doors_driver.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "radix/trust/v1/door.grpc.pb.h"
#include "services/confab/dial.h"

namespace radix::picket {

using trust::v1::DoorService;
using trust::v1::HoldDoorsRequest;
using trust::v1::HoldDoorsResponse;

namespace {

constexpr std::size_t kQueueMax = 16;  // one is sent at a time, but where a stream begins

}  // namespace

Doors::Doors(const confab::Node& node, std::function<void(const Refusals&)> on_refusals)
    : node_(node), on_refusals_(std::move(on_refusals)) {}

Doors::~Doors() { End(); }

std::unique_ptr<Doors::Call> Doors::MakeCall() {
  return std::make_unique<Call>(Call::Handlers{
      .start =
          [this](std::shared_ptr<void>& keep) {
            std::shared_ptr<DoorService::Stub> stub =
                DoorService::NewStub(confab::DialLocal(node_, "reeve"));
            auto stream = Stream::Create(kQueueMax);
            stub->async()->HoldDoors(&stream->context(), stream.get());
            keep = std::move(stub);
            return stream;
          },
      .on_begin =
          [this](Stream& stream) {
            HoldDoorsRequest set;
            {
              const std::lock_guard lock(mutex_);
              set = Set();
            }
            stream.Send(std::move(set));
          },
      .on_message = [this](const HoldDoorsResponse& response) { HandleMessage(response); },
      .on_end =
          [this](const grpc::Status& status) {
            const std::lock_guard lock(mutex_);
            last_error_ = status.error_message();
            answered_ = 0;  // what was answered may not be so any more
            states_.clear();
          }});
}

// With the lock held.
HoldDoorsRequest Doors::Set() {
  HoldDoorsRequest set;
  set.set_number(number_);
  for (const auto& [id, row] : wanted_) {
    trust::v1::Door& door = *set.add_doors();
    door.set_id(id);
    door.set_horde(row.door.horde);
    door.set_service(row.door.service);
    door.set_api(row.door.api);
    door.set_inst(row.door.inst);
    door.set_uid(row.door.uid);
  }
  sent_ = number_;
  return set;
}

void Doors::Want(const std::vector<WantedDoor>& doors) {
  const std::lock_guard call_lock(call_mutex_);
  std::optional<HoldDoorsRequest> set;
  {
    const std::lock_guard lock(mutex_);
    std::map<std::string, Row> wanted;
    bool same = number_ > 0 && doors.size() == wanted_.size();
    for (const WantedDoor& door : doors) {
      const auto before = wanted_.find(door.id);
      const bool stays = before != wanted_.end() && before->second.door == door;
      same = same && stays;
      const std::int64_t since = stays ? before->second.since : number_ + 1;
      wanted[door.id] = {.door = door, .since = since};
    }
    if (same) return;
    wanted_ = std::move(wanted);
    ++number_;
    // Another is on its way: this one follows its answer.
    if (sent_ == answered_) set = Set();
    changed_.notify_all();
  }
  if (call_ == nullptr) {
    call_ = MakeCall();
  } else if (set) {
    call_->Send(*std::move(set));
  }
}

absl::StatusOr<std::string> Doors::Await(const std::string& id, Duration limit) {
  std::unique_lock lock(mutex_);
  std::string folder;
  std::string error;
  const auto is_decided = [&] {
    const auto row = wanted_.find(id);
    if (ending_ || row == wanted_.end()) return true;
    const auto state = states_.find(id);
    if (answered_ < row->second.since || state == states_.end()) return false;
    folder = state->second.folder();
    error = state->second.error();
    return !folder.empty();
  };
  const bool decided = changed_.wait_for(lock, limit, is_decided);
  if (!folder.empty()) return folder;
  if (decided)
    return absl::AbortedError(absl::StrCat("the door of ", id, " is not wanted any more"));
  if (error.empty()) error = last_error_.empty() ? "it does not answer" : last_error_;
  return absl::UnavailableError(
      absl::StrCat("reeve did not open the door of ", id, " within ", limit / 1s, " s: ", error));
}

void Doors::End() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  changed_.notify_all();
}

void Doors::HandleMessage(const HoldDoorsResponse& response) {
  std::optional<HoldDoorsRequest> set;
  Refusals refusals;
  bool other_refusals = false;
  {
    const std::lock_guard lock(mutex_);
    answered_ = response.number();
    last_error_.clear();
    states_.clear();
    for (const trust::v1::DoorState& state : response.doors()) {
      states_[state.id()] = state;
      if (!state.has_refused()) continue;
      const trust::v1::Claim& said = state.refused();
      refusals[state.id()] = {.horde = said.horde(), .api = said.api(), .inst = said.inst()};
    }
    other_refusals = refusals != refusals_;
    refusals_ = refusals;
    if (number_ > sent_) set = Set();
    changed_.notify_all();
  }
  if (other_refusals) on_refusals_(refusals);
  if (!set) return;
  const std::lock_guard call_lock(call_mutex_);
  if (call_ != nullptr) call_->Send(*std::move(set));
}

}  // namespace radix::picket
