#include "services/reeve/reeve_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "radix/muster/v1/muster.grpc.pb.h"
#include "radix/proctor/v1/proctor.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/confab/grpc_status.h"
#include "services/reeve/reeve_codec.h"
#include "services/registry/hordes.h"
#include "services/registry/hordes_codec.h"
#include "services/registry/registry_codec.h"
#include "services/registry/selection.h"
#include "services/trust/rules.h"
#include "services/trust/trust_codec.h"

namespace radix::reeve {
namespace {

using confab::Answer;
using confab::WallNanoseconds;

constexpr std::size_t kWatchersMax = 4096;
constexpr auto kProxyLimit = std::chrono::seconds(6);  // a little more than the steward's own

// Carries a call to the steward's inventory; its answer goes back as it is.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Carry(
    grpc::CallbackServerContext* context, const std::shared_ptr<grpc::Channel>& channel,
    void (muster::v1::MusterService::StubInterface::async_interface::*method)(
        grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>),
    const Request* request, Response* response) {
  if (channel == nullptr) {
    return Answer(context, absl::UnavailableError("there is no steward now; try again"));
  }
  struct Call {
    std::unique_ptr<muster::v1::MusterService::Stub> stub;
    grpc::ClientContext context;
  };
  auto call = std::make_shared<Call>();
  call->stub = muster::v1::MusterService::NewStub(channel);
  call->context.set_deadline(std::min(context->deadline(), confab::WallDeadline(kProxyLimit)));
  auto* reactor = context->DefaultReactor();
  (call->stub->async()->*method)(
      &call->context, request, response,
      [call, reactor](const grpc::Status& status) { reactor->Finish(status); });
  return reactor;
}

}  // namespace

ReeveServiceImpl::ReeveServiceImpl(const confab::Node& node, std::uint16_t steward_port,
                                   trust::TrustServiceImpl& trust,
                                   trust::PairingServiceImpl& pairing)
    : node_(node),
      steward_port_(steward_port),
      origin_(absl::StrCat("reeve-", absl::Hex(confab::RandomNumber()))),
      trust_(trust),
      pairing_(pairing),
      directory_(node.address),
      contact_(trust::Rules::kGrace, confab::Now()),
      labels_(node.labels),
      watchers_(kWatchersMax),
      timer_([this](Instant now) { return Tick(now); }) {
  steward_ = std::make_unique<StewardLink>(
      node_, StewardLink::Handlers{
                 .hello = [this](std::uint64_t epoch) { return MakeHello(epoch); },
                 .changes =
                     [this](std::optional<std::uint64_t> revision) {
                       const std::lock_guard lock(mutex_);
                       registry::Delta delta = directory_.own().Since(revision);
                       delta.origin = origin_;
                       return delta;
                     },
                 .on_message = [this](const auto& message) { return HandleSteward(message); },
                 .on_lost =
                     [this] {
                       const std::lock_guard lock(mutex_);
                       directory_.HandleStewardLost();
                     }});
  heartbeater_ = std::make_unique<Subscription<heartbeater::v1::WatchResponse>>(
      WatchLocal<heartbeater::v1::HeartbeaterService>(
          node_, "heartbeater", &heartbeater::v1::HeartbeaterService::Stub::async::Watch),
      [this](const heartbeater::v1::WatchResponse& message) { HandleOwn(message); },
      [this](const grpc::Status& /*status*/) { HandleOwnLost(); });
  flock_ = std::make_unique<registry::GroupLink>(
      node_, [this](const registry::Group& group) { HandleGroup(group); });
  proctor::v1::WatchDecisionsRequest of_operators;
  of_operators.set_kind(trust::Revoked::kKind);
  of_operators.add_more_kinds(trust::Rules::kKind);
  of_operators.add_more_kinds(registry::Hordes::kKind);
  dean_ = std::make_unique<Subscription<proctor::v1::WatchDecisionsResponse>>(
      WatchLocal<proctor::v1::DeanService>(
          node_, "dean", &proctor::v1::DeanService::Stub::async::WatchDecisions, of_operators),
      [this](const proctor::v1::WatchDecisionsResponse& message) { HandleDecisions(message); },
      [this](const grpc::Status& /*status*/) { HandleContact(false); });
}

ReeveServiceImpl::~ReeveServiceImpl() {
  dean_.reset();
  flock_.reset();
  heartbeater_.reset();
  steward_.reset();
}

grpc::ServerUnaryReactor* ReeveServiceImpl::Lookup(grpc::CallbackServerContext* context,
                                                   const v1::LookupRequest* request,
                                                   v1::LookupResponse* response) {
  const auto selector = registry::SelectorFrom("selector", request->selector());
  if (!selector.ok()) return Answer(context, selector.status());
  const std::int64_t now = WallNanoseconds();
  const std::lock_guard lock(mutex_);
  for (registry::Instance& instance :
       registry::BestFirst(directory_.visible().List(*selector),
                           {.node = node_.name, .include_draining = request->include_draining()})) {
    *response->add_instances() = ToProto(std::move(instance), now);
  }
  response->set_revision(static_cast<std::int64_t>(directory_.visible().revision()));
  if (response->instances().empty()) {
    return Answer(context,
                  absl::NotFoundError(absl::StrCat("no live instance of ", selector->api,
                                                   selector->inst, " in horde ", selector->horde)));
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::WatchResponse>* ReeveServiceImpl::WatchHolding(
    grpc::CallbackServerContext* /*context*/, const v1::WatchRequest* request,
    std::shared_ptr<void> held) {
  auto stream = WatchStream::Create();
  const auto selector =
      registry::SelectorFrom("selector", request->selector(), {.may_be_open = true});
  if (!selector.ok()) {
    stream->End(confab::ToGrpc(selector.status()));
  } else if (!request->has_selector()) {
    stream->End({grpc::StatusCode::INVALID_ARGUMENT, "selector: is required"});
  } else if (!watchers_.Add(stream)) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "there are 4,096 watchers already"});
  } else {
    auto cursor = std::make_shared<Cursor>(Cursor{*selector, std::nullopt});
    stream->Begin(
        [this, cursor](v1::WatchResponse& response) { return NextFor(*cursor, response); },
        [this, stream, held = std::move(held)] { watchers_.Remove(stream); });
  }
  return stream.get();
}

bool ReeveServiceImpl::NextFor(Cursor& cursor, v1::WatchResponse& response) {
  const std::lock_guard lock(mutex_);
  if (cursor.revision == directory_.visible().revision()) return false;
  registry::Delta delta = directory_.visible().Since(cursor.revision, cursor.selector);
  cursor.revision = delta.revision;
  if (delta.changes.empty() && !delta.snapshot) return false;
  delta.origin = origin_;
  // The digest is of all instances; who watches only some cannot check it.
  const bool all =
      cursor.selector.horde.empty() && cursor.selector.api.empty() && cursor.selector.inst.empty();
  if (!all) delta.digest = 0;
  auto& message = *response.mutable_delta();
  const std::vector<registry::Instance> changes = std::exchange(delta.changes, {});
  message = registry::ToProto(delta);
  const std::int64_t now = WallNanoseconds();
  for (const registry::Instance& change : changes) {
    *message.add_changes()->mutable_instance() = ToProto(change, now);
  }
  return true;
}

grpc::ServerUnaryReactor* ReeveServiceImpl::ListInstances(
    grpc::CallbackServerContext* context, const v1::ListInstancesRequest* /*request*/,
    v1::ListInstancesResponse* response) {
  const std::int64_t now = WallNanoseconds();
  const std::lock_guard lock(mutex_);
  for (registry::Instance& instance : directory_.visible().List()) {
    *response->add_instances() = ToProto(std::move(instance), now);
  }
  response->set_epoch(static_cast<std::int64_t>(directory_.epoch()));
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ReeveServiceImpl::GetState(grpc::CallbackServerContext* context,
                                                     const v1::GetStateRequest* /*request*/,
                                                     v1::GetStateResponse* response) {
  const std::lock_guard lock(mutex_);
  response->set_epoch(static_cast<std::int64_t>(directory_.epoch()));
  response->set_revision(static_cast<std::int64_t>(directory_.steward_revision()));
  response->set_digest(directory_.visible().digest());
  response->set_steward_connected(directory_.steward_connected());
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ReeveServiceImpl::RegisterEntry(
    grpc::CallbackServerContext* context, const muster::v1::RegisterRequest* request,
    muster::v1::RegisterResponse* response) {
  return Carry(context, steward_->channel(),
               &muster::v1::MusterService::StubInterface::async_interface::Register, request,
               response);
}

grpc::ServerUnaryReactor* ReeveServiceImpl::SearchEntries(grpc::CallbackServerContext* context,
                                                          const muster::v1::SearchRequest* request,
                                                          muster::v1::SearchResponse* response) {
  return Carry(context, steward_->channel(),
               &muster::v1::MusterService::StubInterface::async_interface::Search, request,
               response);
}

void ReeveServiceImpl::HandleOwn(const heartbeater::v1::WatchResponse& message) {
  auto delta = registry::DeltaFrom("delta", message.delta());
  if (!delta.ok()) {
    spdlog::error("heartbeater: {}", std::string(delta.status().message()));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    // A stream begins with a snapshot and is of one heartbeater, so this follows what came before.
    directory_.HandleOwn(*delta, confab::Now());
  }
  Changed();
  steward_->Wake();
}

void ReeveServiceImpl::HandleOwnLost() {
  {
    const std::lock_guard lock(mutex_);
    directory_.HandleOwnLost(confab::Now());
  }
  timer_.Wake();
}

void ReeveServiceImpl::HandleGroup(const registry::Group& group) {
  std::vector<trust::NodeKey> living;
  std::vector<trust::NodeKey> dead;
  for (const registry::Member& member : group.members) {
    (member.alive ? living : dead).push_back({member.address, member.fingerprint});
  }
  trust_.SetNodes(living);
  pairing_.SetNodes(living, dead);
  std::optional<StewardLink::Target> steward;
  {
    const std::lock_guard lock(mutex_);
    directory_.HandleMembers(group.members);
    if (const registry::Member* own = group.Find(node_.address)) boot_ = own->boot;
    if (group.leader && group.epoch > 0 && !group.turned_away) {
      steward = StewardLink::Target{.net_id = Endpoint{*group.leader, steward_port_}.ToString(),
                                    .epoch = group.epoch,
                                    .boot = boot_};
    }
  }
  Changed();
  if (group.turned_away) {
    steward_->TurnAway();
  } else {
    steward_->SetTarget(std::move(steward));
  }
}

void ReeveServiceImpl::HandleDecisions(const proctor::v1::WatchDecisionsResponse& message) {
  HandleContact(message.follows());
  if (message.revision() == 0 && last_revision_ > 0) {
    spdlog::error("dean has lost what the group decided: what it said before holds on");
    return;
  }
  last_revision_ = std::max(last_revision_, message.revision());
  trust::Revoked revoked;
  registry::Hordes hordes;
  const proctor::v1::Decision* rules = nullptr;
  for (const proctor::v1::Decision& decision : message.decisions()) {
    absl::Status added;
    if (decision.kind() == trust::Rules::kKind) {
      rules = &decision;
    } else if (decision.kind() == trust::Revoked::kKind) {
      added = trust::AddDecision(decision.key(), revoked);
    } else if (decision.kind() == registry::Hordes::kKind) {
      added = registry::AddDecidedHorde(decision.key(), decision.value(), hordes);
    }
    if (!added.ok()) spdlog::error("dean: {}", std::string(added.message()));
  }
  pairing_.SetRevoked(revoked);
  trust_.SetRevoked(std::move(revoked));
  pairing_.SetHordes(hordes);  // before the rules: until they are known nobody is refused
  HandleRules(rules);
  {
    const std::lock_guard lock(mutex_);
    directory_.SetHordes(std::move(hordes));
  }
  Changed();
}

// `decision` is nullptr while operators have decided nothing: then all that is not built in is
// refused.
void ReeveServiceImpl::HandleRules(const proctor::v1::Decision* decision) {
  trust::CurrentRules& current = trust_.current_rules();
  auto rules = decision == nullptr ? absl::StatusOr<trust::Rules>(trust::Rules())
                                   : trust::Rules::FromDecision(decision->key(), decision->value());
  if (!rules.ok()) {
    // A later version may know rules that this one does not. To go on with those before is better
    // than to forget them; without any, nobody gets in by mistake.
    const bool had_some = current.rules() != nullptr;
    spdlog::error("dean: {}; {} until they are mended", std::string(rules.status().message()),
                  had_some ? "the rules before stay" : "only what is built in is allowed");
    if (had_some) return;
    rules = trust::Rules();
  }
  const auto of_operators =
      std::ranges::count_if(rules->list(), [](const trust::Rule& rule) { return rule.line > 0; });
  const std::optional<Duration> grace = rules->grace();
  if (current.SetRules(*std::move(rules))) {
    spdlog::info("goes by {} rules of operators", of_operators);
  }
  {
    const std::lock_guard lock(mutex_);
    contact_.SetGrace(grace, confab::Now());
  }
  TellContact();
}

// Whether dean follows the leader, from whom it hears what is revoked.
void ReeveServiceImpl::HandleContact(bool follows) {
  {
    const std::lock_guard lock(mutex_);
    contact_.HandleLeader(follows, confab::Now());
  }
  TellContact();
  timer_.Wake();
}

// Whether this node has been without a leader for too long.
void ReeveServiceImpl::TellContact() {
  const std::lock_guard telling(telling_);
  bool cut_off = false;
  {
    const std::lock_guard lock(mutex_);
    cut_off = contact_.cut_off();
    if (cut_off == told_cut_off_) return;
    told_cut_off_ = cut_off;
  }
  spdlog::log(cut_off ? spdlog::level::warn : spdlog::level::info,
              cut_off ? "there has been no leader for so long that nobody here can know what was "
                        "revoked: callers from other nodes are not let in"
                      : "there is a leader again: callers from other nodes are let in");
  pairing_.SetCutOff(cut_off);
  trust_.SetCutOff(cut_off);
}

absl::Status ReeveServiceImpl::HandleSteward(const steward::v1::SyncResponse& message) {
  auto delta = registry::DeltaFrom("delta", message.delta());
  if (!delta.ok()) return delta.status();
  if (message.epoch() <= 0) return absl::InvalidArgumentError("epoch: must be greater than 0");
  bool same = false;
  {
    const std::lock_guard lock(mutex_);
    same =
        directory_.HandleGroup(static_cast<std::uint64_t>(message.epoch()), *delta, confab::Now());
  }
  Changed();
  if (same) return absl::OkStatus();
  return absl::DataLossError("this copy of the group's table differs from the steward's");
}

steward::v1::Hello ReeveServiceImpl::MakeHello(std::uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  registry::Delta table = directory_.own().Since(std::nullopt);
  table.origin = origin_;
  steward::v1::Hello hello;
  hello.set_epoch(static_cast<std::int64_t>(epoch));
  hello.set_node(node_.name);
  hello.set_address(node_.address.ToString());
  hello.set_boot(boot_);
  for (const std::string& label : labels_) hello.add_labels(label);
  *hello.mutable_table() = registry::ToProto(table);
  return hello;
}

// Tells the watchers that the directory may have changed.
void ReeveServiceImpl::Changed() {
  timer_.Wake();
  {
    const std::lock_guard lock(mutex_);
    if (woken_revision_ == directory_.visible().revision()) return;
    woken_revision_ = directory_.visible().revision();
  }
  watchers_.WakeAll();
}

Instant ReeveServiceImpl::Tick(Instant now) {
  Instant next;
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    directory_.HandleTimeout(now);
    contact_.HandleTimeout(now);
    changed = woken_revision_ != directory_.visible().revision();
    woken_revision_ = directory_.visible().revision();
    next = std::min(directory_.NextTimeout(), contact_.NextTimeout());
  }
  TellContact();
  if (changed) watchers_.WakeAll();
  return next;
}

void ReeveServiceImpl::EndStreams() {
  watchers_.EndAll({grpc::StatusCode::UNAVAILABLE, "reeve is shutting down; connect again"});
}

}  // namespace radix::reeve
