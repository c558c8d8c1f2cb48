#include "clients/cpp/heartbeat.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/process_stat.h"

namespace radix {
namespace {

using google::protobuf::util::TimeUtil;

constexpr Duration kPeriod = 1s;
constexpr std::int64_t kValidSeconds = 3;

heartbeater::v1::BeatRequest Complete(heartbeater::v1::BeatRequest beat, const confab::Node& node) {
  beat.set_flock_id(node.flock_id);
  beat.set_pid(getpid());
  if (const auto stat = confab::ReadProcessStat(getpid())) {
    beat.set_pid_start_ticks(stat->start_ticks);
  }
  return beat;
}

}  // namespace

struct Heartbeat::Link {
  std::shared_ptr<Stream> stream;
  std::unique_ptr<heartbeater::v1::HeartbeaterService::Stub> stub;
  std::atomic<bool> answered = false;
  std::atomic<bool> ended = false;
  std::mutex mutex;
  Heartbeat* owner = nullptr;  // nullptr once it is destroyed
};

Heartbeat::Heartbeat(const Network& network, heartbeater::v1::BeatRequest beat)
    : network_(network),
      beat_(Complete(std::move(beat), network.node)),
      random_(confab::RandomNumber()),
      backoff_(20ms, 1s),
      timer_([this](Instant now) { return Tick(now); }) {}

Heartbeat::~Heartbeat() {
  SetStatus(registry::v1::STATUS_DEAD);
  std::shared_ptr<Link> link;
  {
    const std::lock_guard lock(mutex_);
    link = std::move(link_);
  }
  if (link == nullptr) return;
  link->stream->HalfClose();
  const std::lock_guard lock(link->mutex);
  link->owner = nullptr;
}

void Heartbeat::SetStatus(registry::v1::Status status) {
  const std::lock_guard lock(mutex_);
  beat_.set_status(status);
  Beat();
}

// Holds mutex_.
void Heartbeat::Beat() {
  if (link_ == nullptr || link_->ended) return;
  const std::int64_t now = confab::WallNanoseconds();
  *beat_.mutable_issue_time() = TimeUtil::NanosecondsToTimestamp(now);
  *beat_.mutable_valid_until_time() =
      TimeUtil::NanosecondsToTimestamp(now + kValidSeconds * 1'000'000'000);
  link_->stream->Send(beat_);
}

Instant Heartbeat::Tick(Instant now) {
  const std::lock_guard lock(mutex_);
  if (beat_.status() == registry::v1::STATUS_DEAD) return Instant::max();
  if (now < not_before_) return not_before_;
  if (link_ != nullptr && link_->ended) {
    if (link_->answered) backoff_.Reset();
    link_ = nullptr;
    not_before_ = now + backoff_.Next(random_);
    return not_before_;
  }
  if (link_ == nullptr) Open();
  Beat();
  return now + kPeriod;
}

// Holds mutex_.
void Heartbeat::Open() {
  auto link = std::make_shared<Link>();
  link->owner = this;
  link->stub =
      heartbeater::v1::HeartbeaterService::NewStub(confab::DialLocal(network_.node, "heartbeater"));
  link->stream = Stream::Create(16);
  link->stub->async()->Beat(&link->stream->context(), link->stream.get());
  link->stream->Begin({.on_message =
                           [link](const heartbeater::v1::BeatResponse& response) {
                             link->answered = true;
                             if (!response.warning().empty())
                               spdlog::warn("{}", response.warning());
                           },
                       .on_end =
                           [link, name = beat_.inst()](const grpc::Status& status) {
                             if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
                               spdlog::error("heartbeat of {} refused: {}", name,
                                             status.error_message());
                             }
                             link->ended = true;
                             const std::lock_guard owner_lock(link->mutex);
                             if (link->owner != nullptr) link->owner->timer_.Wake();
                           }});
  link_ = std::move(link);
}

}  // namespace radix
