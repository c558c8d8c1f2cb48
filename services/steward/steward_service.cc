#include "services/steward/steward_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/calling_node.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"
#include "services/registry/registry_codec.h"

namespace radix::steward {
namespace {

constexpr Duration kRound = 5s;
constexpr std::size_t kStreamsSpare = 64;  // streams that were superseded and have not ended yet

bool MatchesAny(const std::vector<registry::Selector>& selectors, const registry::Instance& each) {
  return std::any_of(selectors.begin(), selectors.end(),
                     [&](const registry::Selector& selector) { return selector.Matches(each); });
}

}  // namespace

StewardServiceImpl::StewardServiceImpl(const Charter& charter, std::uint64_t epoch,
                                       std::function<void()> on_over)
    : ranges_(charter.ranges),
      flock_id_(charter.bloc),
      origin_(absl::StrCat("steward-", epoch, "-", absl::Hex(confab::RandomNumber()))),
      on_over_(std::move(on_over)),
      lease_(epoch, confab::Now()),
      table_(charter.at_most),
      next_round_at_(confab::Now() + kRound),
      streams_(charter.at_most + kStreamsSpare),
      timer_([this](Instant now) { return Tick(now); }) {}

grpc::ServerBidiReactor<v1::SyncRequest, v1::SyncResponse>* StewardServiceImpl::Sync(
    grpc::CallbackServerContext* context) {
  auto stream = SyncStream::Create();
  auto link = std::make_shared<Link>();
  link->peer = context->peer();
  link->proved = confab::CallingNode(*context, flock_id_, "reeve");
  const bool added = streams_.Add(stream);
  {
    const std::lock_guard lock(mutex_);
    link->id = ++last_stream_;
    by_id_[link->id] = {stream, confab::Now() + GroupTable::kSilenceMax};
  }
  stream->Begin([this, link](v1::SyncResponse& response) { return NextFor(*link, response); },
                {.on_message =
                     [this, stream, link](const v1::SyncRequest& request) {
                       HandleMessage(*stream, *link, request);
                     },
                 .on_done = [this, stream, link] { HandleDone(link->id, stream); }});
  if (!link->proved.ok()) {
    stream->End(confab::ToGrpc(link->proved.status()));
  } else if (!added) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "too many streams, or shutting down; try again"});
  }
  return stream.get();
}

void StewardServiceImpl::HandleMessage(SyncStream& stream, Link& link,
                                       const v1::SyncRequest& request) {
  const absl::Status status =
      request.has_hello() ? HandleHello(link, request.hello()) : HandleDelta(link, request);
  if (!status.ok()) {
    spdlog::warn("ending the stream of {}: {}", link.peer, std::string(status.message()));
    stream.End(confab::ToGrpc(status));
    return;
  }
  stream.Wake();
  WakeIfChanged();
}

void StewardServiceImpl::WakeIfChanged() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_revision_ == table_.table().revision()) return;
    woken_revision_ = table_.table().revision();
  }
  streams_.WakeAll();
}

absl::Status StewardServiceImpl::HandleHello(Link& link, const v1::Hello& message) {
  auto hello = HelloFrom(message);
  if (!hello.ok()) return hello.status();
  link.peer = absl::StrCat(hello->node.node, " (", hello->node.address.ToString(), ")");
  if (!ranges_.SlotOf(hello->node.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello.address: ", message.address(), " is in none of the charter's ranges"));
  }
  std::shared_ptr<SyncStream> superseded;
  {
    const std::lock_guard lock(mutex_);
    if (auto ok = LeaseStatus(); !ok.ok()) return ok;
    if (hello->epoch != lease_.epoch()) {
      return absl::FailedPreconditionError(absl::StrCat("hello.epoch: is ", hello->epoch,
                                                        ", but this steward acts under epoch ",
                                                        lease_.epoch()));
    }
    if (!link.node.empty()) return absl::InvalidArgumentError("hello: came twice");
    if (!link.proved.ok()) return link.proved.status();
    if (*link.proved) {
      const auto listed = fingerprints_.find(hello->node.address);
      auto is_it = registry::CheckIsAt(hello->node.address, **link.proved,
                                       listed == fingerprints_.end() ? 0 : listed->second);
      if (!is_it.ok()) return is_it;
    }
    std::optional<StreamId> earlier;
    auto taken = table_.HandleHello(link.id, hello->node, confab::Now(), earlier);
    if (!taken.ok()) return taken;
    link.node = hello->node.node;
    link.address = hello->node.address;
    link.subscriptions = std::move(hello->subscriptions);
    if (const auto self = by_id_.find(link.id); self != by_id_.end()) {
      self->second.hello_by = Instant::max();
    }
    if (earlier && by_id_.contains(*earlier)) superseded = by_id_[*earlier].stream;
  }
  spdlog::info("{} connected with {} instances", link.peer, message.table().changes_size());
  if (superseded != nullptr) {
    superseded->End({grpc::StatusCode::ABORTED, "this node opened a newer stream"});
  }
  return absl::OkStatus();
}

absl::Status StewardServiceImpl::HandleDelta(Link& link, const v1::SyncRequest& request) {
  if (link.node.empty()) {
    return absl::InvalidArgumentError("kind: the first message must be a hello");
  }
  if (!request.has_delta()) return absl::InvalidArgumentError("kind: is required");
  auto delta = NodeDeltaFrom("delta", request.delta(), link.node, link.address);
  if (!delta.ok()) return delta.status();
  const std::lock_guard lock(mutex_);
  if (auto ok = LeaseStatus(); !ok.ok()) return ok;
  bool resend = false;
  auto taken = table_.HandleDelta(link.id, *delta, confab::Now(), resend);
  link.resend = link.resend || resend;
  return taken;
}

void StewardServiceImpl::HandleDone(StreamId id, const std::shared_ptr<SyncStream>& stream) {
  streams_.Remove(stream);
  const std::lock_guard lock(mutex_);
  by_id_.erase(id);
  table_.HandleStreamEnd(id, confab::Now());
  timer_.Wake();
}

bool StewardServiceImpl::NextFor(Link& link, v1::SyncResponse& response) {
  const std::lock_guard lock(mutex_);
  const bool digest_due = link.round != round_;
  if (link.node.empty()) return false;
  if (link.revision == table_.table().revision() && !digest_due && !link.resend) return false;
  registry::Delta delta = table_.table().Since(link.revision);
  delta.origin = origin_;
  if (!link.subscriptions.empty()) {
    std::erase_if(delta.changes, [&](const registry::Instance& change) {
      return !MatchesAny(link.subscriptions, change);
    });
    delta.digest = 0;  // of the whole table, which this reeve does not have
  }
  link.revision = delta.revision;
  if (delta.changes.empty() && !delta.snapshot && !digest_due && !link.resend) return false;
  link.round = round_;
  response.set_epoch(static_cast<std::int64_t>(lease_.epoch()));
  response.set_resend(std::exchange(link.resend, false));
  *response.mutable_delta() = registry::ToProto(delta);
  return true;
}

grpc::ServerUnaryReactor* StewardServiceImpl::GetState(grpc::CallbackServerContext* context,
                                                       const v1::GetStateRequest* /*request*/,
                                                       v1::GetStateResponse* response) {
  {
    const std::lock_guard lock(mutex_);
    response->set_epoch(static_cast<std::int64_t>(lease_.epoch()));
    response->set_revision(static_cast<std::int64_t>(table_.table().revision()));
    response->set_digest(table_.table().digest());
    for (const std::string& node : table_.ConnectedNodes()) response->add_nodes(node);
    response->set_instance_count(static_cast<std::int64_t>(table_.table().size()));
  }
  return confab::Answer(context, absl::OkStatus());
}

void StewardServiceImpl::HandleGroup(const registry::Group& group) {
  {
    const std::lock_guard lock(mutex_);
    lease_.HandleGroup(group, confab::Now());
    table_.HandleMembers(group.members);
    fingerprints_.clear();
    for (const registry::Member& each : group.members) {
      fingerprints_[each.address] = each.fingerprint;
    }
  }
  WakeIfChanged();
  timer_.Wake();
}

absl::Status StewardServiceImpl::CheckLease() {
  const std::lock_guard lock(mutex_);
  return LeaseStatus();
}

absl::Status StewardServiceImpl::LeaseStatus() const {
  const Instant now = confab::Now();
  if (lease_.Held(now)) return absl::OkStatus();
  if (lease_.Over(now)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease of epoch ", lease_.epoch(), " ended; ask the next steward"));
  }
  return absl::UnavailableError(
      absl::StrCat("flock has not confirmed epoch ", lease_.epoch(), " yet; try again"));
}

// The streams on which nothing came for too long, neither a hello nor anything after it. With the
// lock held.
std::vector<std::shared_ptr<StewardServiceImpl::SyncStream>> StewardServiceImpl::TakeSilent(
    Instant now) {
  std::vector<std::shared_ptr<SyncStream>> silent;
  for (const StreamId id : table_.HandleTimeout(now)) {
    if (const auto open = by_id_.find(id); open != by_id_.end()) {
      silent.push_back(open->second.stream);
    }
  }
  for (auto& [id, open] : by_id_) {
    if (open.hello_by > now) continue;
    open.hello_by = Instant::max();
    silent.push_back(open.stream);
  }
  if (!silent.empty()) {
    spdlog::warn("ending the streams of {} reeves: nothing came on them for 15 s", silent.size());
  }
  return silent;
}

Instant StewardServiceImpl::Tick(Instant now) {
  bool round = false;
  bool over = false;
  Instant next;
  std::vector<std::shared_ptr<SyncStream>> silent;
  {
    const std::lock_guard lock(mutex_);
    silent = TakeSilent(now);
    round = now >= next_round_at_;
    if (round) {
      ++round_;
      next_round_at_ = now + kRound;
    }
    over = lease_.Over(now) && !std::exchange(told_over_, lease_.Over(now));
    next = std::min(next_round_at_, table_.NextTimeout());
    if (!told_over_) next = std::min(next, lease_.ends_at());
  }
  for (const auto& stream : silent) {
    stream->End({grpc::StatusCode::DEADLINE_EXCEEDED, "nothing came for 15 s; connect anew"});
  }
  WakeIfChanged();
  if (round) streams_.WakeAll();
  if (over) {
    streams_.EndAll({grpc::StatusCode::FAILED_PRECONDITION, "the steward's lease ended"});
    on_over_();
  }
  return next;
}

void StewardServiceImpl::EndStreams() {
  streams_.EndAll({grpc::StatusCode::UNAVAILABLE, "the steward is shutting down"});
}

}  // namespace radix::steward
