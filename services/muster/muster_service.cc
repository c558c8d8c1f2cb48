#include "services/muster/muster_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"
#include "services/muster/muster_codec.h"

namespace radix::muster {
namespace {

using confab::Answer;
using confab::WallNanoseconds;

constexpr char kKind[] = "muster";
constexpr std::size_t kCallsMax = 256;
constexpr auto kCallLimit = std::chrono::seconds(5);

}  // namespace

// Calls to the proctor; each is dialled anew, because a proctor is seldom the one it was before.
struct MusterServiceImpl::ListCall {
  std::unique_ptr<proctor::v1::ProctorService::Stub> stub;
  grpc::ClientContext context;
  proctor::v1::ListDecisionsRequest request;
  proctor::v1::ListDecisionsResponse response;
};

struct MusterServiceImpl::ProposeCall {
  std::unique_ptr<proctor::v1::ProctorService::Stub> stub;
  grpc::ClientContext context;
  proctor::v1::ProposeRequest request;
  proctor::v1::ProposeResponse response;
  Entry entry;
  grpc::ServerUnaryReactor* reactor = nullptr;
  v1::RegisterResponse* answer = nullptr;
};

MusterServiceImpl::MusterServiceImpl(const confab::Node& node,
                                     std::function<absl::Status()> check_lease)
    : node_(node),
      check_lease_(std::move(check_lease)),
      random_(confab::RandomNumber()),
      backoff_(50ms, 1s) {
  timer_.emplace([this](Instant now) { return Tick(now); });
}

MusterServiceImpl::~MusterServiceImpl() {
  {
    std::unique_lock lock(mutex_);
    ending_ = true;
    for (const auto& [context, call] : calls_) context->TryCancel();
    idle_.wait(lock, [this] { return calls_.empty(); });
  }
  timer_.reset();
}

absl::Status MusterServiceImpl::CheckReady() {
  if (auto held = check_lease_(); !held.ok()) return held;
  const std::lock_guard lock(mutex_);
  if (loaded_) return absl::OkStatus();
  return absl::UnavailableError(
      "the inventory is not loaded yet: waiting for the proctor to know the group's decisions; "
      "try again");
}

grpc::ServerUnaryReactor* MusterServiceImpl::Register(grpc::CallbackServerContext* context,
                                                      const v1::RegisterRequest* request,
                                                      v1::RegisterResponse* response) {
  const auto id = EntryIdFrom(*request);
  if (!id.ok()) return Answer(context, id.status());
  if (auto ready = CheckReady(); !ready.ok()) return Answer(context, ready);
  auto call = std::make_shared<ProposeCall>();
  call->entry = Entry{*id, WallNanoseconds()};
  call->answer = response;
  auto* decision = call->request.mutable_decision();
  decision->set_kind(kKind);
  decision->set_key(id->Key());
  decision->set_value(ToBytes(call->entry));
  call->context.set_deadline(std::min(context->deadline(), confab::WallDeadline(kCallLimit)));
  call->stub = proctor::v1::ProctorService::NewStub(confab::DialLocal(node_, "proctor"));
  {
    const std::lock_guard lock(mutex_);
    if (auto room = inventory_.CheckRoom(*id); !room.ok()) return Answer(context, room);
    if (calls_.size() >= kCallsMax || ending_) {
      return Answer(context, absl::UnavailableError("too many registrations at once; try again"));
    }
    calls_[&call->context] = call;
  }
  call->reactor = context->DefaultReactor();
  call->stub->async()->Propose(
      &call->context, &call->request, &call->response,
      [this, call](const grpc::Status& status) { HandleProposed(*call, status); });
  return call->reactor;
}

void MusterServiceImpl::HandleProposed(ProposeCall& call, const grpc::Status& status) {
  absl::Status result = absl::OkStatus();
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
      status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    result = confab::FromGrpc(status);
  } else if (!status.ok()) {
    result = absl::UnavailableError(absl::StrCat(
        "the entry may or may not have been kept; try again: ", status.error_message()));
  } else if (auto held = check_lease_(); !held.ok()) {
    result = absl::UnavailableError(std::string(held.message()));
  }
  {
    const std::lock_guard lock(mutex_);
    if (status.ok()) {
      // Kept, whatever else. Should the last room have been taken meanwhile, the caller hears so.
      if (auto put = inventory_.Put(call.entry); result.ok()) result = put;
    } else {
      stale_ = true;
      timer_->Wake();
    }
  }
  if (result.ok()) *call.answer->mutable_entry() = ToProto(call.entry);
  call.reactor->Finish(confab::ToGrpc(result));
  const std::lock_guard lock(mutex_);
  calls_.erase(&call.context);
  idle_.notify_all();
}

grpc::ServerUnaryReactor* MusterServiceImpl::Search(grpc::CallbackServerContext* context,
                                                    const v1::SearchRequest* request,
                                                    v1::SearchResponse* response) {
  const auto query = QueryFrom(*request);
  if (!query.ok()) return Answer(context, query.status());
  if (auto ready = CheckReady(); !ready.ok()) return Answer(context, ready);
  const std::lock_guard lock(mutex_);
  const auto page = inventory_.Search(*query);
  if (!page.ok()) return Answer(context, page.status());
  for (const Entry& entry : page->entries) *response->add_entries() = ToProto(entry);
  response->set_next_page_token(page->next_page_token);
  return Answer(context, absl::OkStatus());
}

// Lists the group's decisions until that has worked once, and again after a proposal of unknown
// outcome.
Instant MusterServiceImpl::Tick(Instant now) {
  const std::lock_guard lock(mutex_);
  if (!stale_ || listing_ || ending_) return Instant::max();
  if (now < next_try_at_) return next_try_at_;
  next_try_at_ = now + backoff_.Next(random_);
  listing_ = true;
  stale_ = false;
  auto call = std::make_shared<ListCall>();
  call->stub = proctor::v1::ProctorService::NewStub(confab::DialLocal(node_, "proctor"));
  call->request.set_kind(kKind);
  call->context.set_deadline(confab::WallDeadline(kCallLimit));
  calls_[&call->context] = call;
  call->stub->async()->ListDecisions(
      &call->context, &call->request, &call->response,
      [this, call](const grpc::Status& status) { HandleListed(*call, status); });
  return Instant::max();
}

void MusterServiceImpl::HandleListed(ListCall& call, const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  listing_ = false;
  calls_.erase(&call.context);
  idle_.notify_all();
  if (ending_) return;
  if (!status.ok()) {
    stale_ = true;
    timer_->Wake();
    return;
  }
  backoff_.Reset();
  for (const auto& decision : call.response.decisions()) {
    const auto entry = EntryFromBytes(decision.value());
    const absl::Status put = entry.ok() ? inventory_.Put(*entry) : entry.status();
    if (!put.ok()) spdlog::error("decision '{}': {}", decision.key(), std::string(put.message()));
  }
  if (!loaded_) spdlog::info("the inventory has {} entries", inventory_.size());
  loaded_ = true;
}

}  // namespace radix::muster
