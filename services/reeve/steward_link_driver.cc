#include "services/reeve/steward_link_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/registry/registry_codec.h"

namespace radix::reeve {
namespace {

constexpr std::size_t kQueueMax = 64;
constexpr Duration kDigestPeriod = 5s;
constexpr Duration kSilenceMax = 15s;
constexpr Duration kFirstBackoff = 50ms;
constexpr Duration kMostBackoff = 1s;

}  // namespace

struct StewardLink::Attempt {
  Target target;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<steward::v1::StewardService::Stub> stub;
  std::shared_ptr<Stream> stream;
  std::uint64_t sent = 0;  // the revision of the own table that the steward has been told
  bool resend = false;     // the steward asked for the whole table
  bool answered = false;   // the steward has sent its table
  bool abandoned = false;  // what it still says does not count
  Instant next_digest_at;
  Instant silent_at;  // when the steward has been silent for too long
};

StewardLink::StewardLink(const confab::Node& node, Handlers handlers)
    : node_(node),
      handlers_(std::move(handlers)),
      random_(confab::RandomNumber()),
      backoff_(kFirstBackoff, kMostBackoff),
      timer_([this](Instant now) { return Tick(now); }) {}

StewardLink::~StewardLink() {
  std::unique_lock lock(mutex_);
  ending_ = true;
  if (attempt_ != nullptr) attempt_->stream->Cancel();
  ended_.wait(lock, [this] { return open_ == 0; });
}

void StewardLink::SetTarget(std::optional<Target> target) {
  {
    const std::lock_guard lock(mutex_);
    turned_away_ = false;
    if (target_ == target) return;
    target_ = std::move(target);
    backoff_.Reset();
    // Not at once: every node of the group hears of a new steward at the same time.
    next_try_at_ = confab::Now() + random_.Between(0s, kFirstBackoff);
  }
  timer_.Wake();
}

void StewardLink::TurnAway() {
  {
    const std::lock_guard lock(mutex_);
    turned_away_ = true;
    target_.reset();
    WarnOnce(
        "as many nodes as the charter's at_most have a vote in the flock already; raise it in the "
        "charter of every node, or stop one of the others");
  }
  timer_.Wake();
}

// With the lock held.
void StewardLink::WarnOnce(const std::string& reason) {
  if (std::exchange(warned_, true)) return;
  spdlog::warn("no steward takes this node, so what runs on it is not found from elsewhere: {}",
               reason);
}

void StewardLink::Wake() { timer_.Wake(); }

std::shared_ptr<grpc::Channel> StewardLink::channel() {
  const std::lock_guard lock(mutex_);
  if (attempt_ == nullptr || !attempt_->answered || attempt_->abandoned) return nullptr;
  return attempt_->channel;
}

Instant StewardLink::Tick(Instant now) {
  const std::lock_guard lock(mutex_);
  if (ending_) return Instant::max();
  if (attempt_ != nullptr) {
    const bool moved = turned_away_ || (target_ && *target_ != attempt_->target);
    if (moved || now >= attempt_->silent_at) {
      Abandon();
      next_try_at_ = std::max(next_try_at_, now);
      if (!moved) next_try_at_ = now + backoff_.Next(random_);
    }
  }
  if (attempt_ == nullptr) {
    if (!target_) return Instant::max();
    if (now < next_try_at_) return next_try_at_;
    Connect(now);
    if (attempt_ == nullptr) return next_try_at_;
  }
  SendChanges(*attempt_, now);
  return std::min(attempt_->next_digest_at, attempt_->silent_at);
}

void StewardLink::Abandon() {
  attempt_->abandoned = true;
  attempt_->stream->Cancel();
  if (attempt_->answered) handlers_.on_lost();
  attempt_ = nullptr;
}

void StewardLink::Connect(Instant now) {
  next_try_at_ = now + backoff_.Next(random_);
  auto channel = confab::Dial(node_, target_->net_id, "steward");
  if (!channel.ok()) {
    spdlog::error("steward: {}", std::string(channel.status().message()));
    return;
  }
  auto attempt = std::make_shared<Attempt>();
  attempt->target = *target_;
  attempt->channel = *std::move(channel);
  attempt->stub = steward::v1::StewardService::NewStub(attempt->channel);
  attempt->stream = Stream::Create(kQueueMax);
  attempt->next_digest_at = now + kDigestPeriod;
  attempt->silent_at = now + kSilenceMax;
  steward::v1::SyncRequest request;
  *request.mutable_hello() = handlers_.hello(target_->epoch);
  attempt->sent = static_cast<std::uint64_t>(request.hello().table().revision());
  attempt->stub->async()->Sync(&attempt->stream->context(), attempt->stream.get());
  attempt->stream->Begin(
      {.on_message =
           [this, attempt](const steward::v1::SyncResponse& message) {
             HandleMessage(attempt, message);
           },
       .on_end = [this, attempt](const grpc::Status& status) { HandleEnd(attempt, status); }});
  attempt->stream->Send(std::move(request));
  attempt_ = std::move(attempt);
  ++open_;
}

void StewardLink::SendChanges(Attempt& attempt, Instant now) {
  std::optional<std::uint64_t> since = attempt.sent;
  if (std::exchange(attempt.resend, false)) since.reset();
  registry::Delta delta = handlers_.changes(since);
  const bool digest_due = now >= attempt.next_digest_at;
  if (delta.changes.empty() && !delta.snapshot && !digest_due) return;
  attempt.sent = delta.revision;
  attempt.next_digest_at = now + kDigestPeriod;
  steward::v1::SyncRequest request;
  *request.mutable_delta() = registry::ToProto(delta);
  // A steward that does not read is as good as none.
  if (!attempt.stream->Send(std::move(request))) attempt.stream->Cancel();
}

void StewardLink::HandleMessage(const std::shared_ptr<Attempt>& attempt,
                                const steward::v1::SyncResponse& message) {
  const std::lock_guard lock(mutex_);
  if (attempt->abandoned || ending_) return;
  const absl::Status status = handlers_.on_message(message);
  if (!status.ok()) {
    spdlog::warn("connecting to the steward anew: {}", std::string(status.message()));
    attempt->stream->Cancel();
    return;
  }
  if (!attempt->answered) {
    spdlog::info("connected to the steward of epoch {} at {}", attempt->target.epoch,
                 attempt->target.net_id);
  }
  attempt->answered = true;
  warned_ = false;
  attempt->silent_at = confab::Now() + kSilenceMax;
  backoff_.Reset();
  if (message.resend()) {
    attempt->resend = true;
    timer_.Wake();
  }
}

void StewardLink::HandleEnd(const std::shared_ptr<Attempt>& attempt, const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (attempt->answered && !attempt->abandoned && !ending_) {
    spdlog::warn("lost the steward of epoch {}: {}", attempt->target.epoch, status.error_message());
    handlers_.on_lost();
  } else if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    spdlog::error("the steward refused this node: {}", status.error_message());
  } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && !ending_) {
    WarnOnce(status.error_message());
  }
  if (attempt_ == attempt) {
    attempt_ = nullptr;
    next_try_at_ = std::max(next_try_at_, confab::Now() + backoff_.Next(random_));
  }
  --open_;
  if (!ending_) timer_.Wake();
  ended_.notify_all();
}

}  // namespace radix::reeve
