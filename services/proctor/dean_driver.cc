#include "services/proctor/dean_driver.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "radix/picket/v1/picket.grpc.pb.h"
#include "radix/reeve/v1/reeve.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/proctor/document_codec.h"
#include "services/proctor/files_driver.h"
#include "services/proctor/proctor_codec.h"
#include "services/registry/registry_codec.h"
#include "services/trust/revoked.h"

namespace radix::proctor {
namespace {

constexpr std::size_t kQueueMax = 64;
constexpr Duration kPullLimit = 50s;
constexpr Duration kRewrittenPullLimit = 5s;  // afterwards it is kept without its files

bool SameName(const Document& a, const Document& b) {
  return a.epoch == b.epoch && a.revision == b.revision && a.checksum == b.checksum;
}

}  // namespace

std::vector<PluginSpec> NodeBuiltIns() {
  return {{.id = "pastiche",
           .owner = "dean",
           .horde = "radix",
           .api = "pastiche1",
           .inst = "pastiche1_0",
           .file = "builtin:pastiche"}};
}

DeanDriver::DeanDriver(Options options)
    : options_(std::move(options)),
      own_address_(options_.node.address.ToString()),
      random_(confab::RandomNumber()),
      local_([](int pid) { return getpgid(pid); }),
      acceptor_(options_.node.state / "desired.db", confab::RandomNumber()) {}

std::shared_ptr<DeanDriver> DeanDriver::Create(Options options) {
  std::shared_ptr<DeanDriver> driver(new DeanDriver(std::move(options)));
  driver->Start();
  return driver;
}

DeanDriver::~DeanDriver() {
  EndWatches();
  timer_ = nullptr;
  if (session_) session_->stream->Cancel();
}

void DeanDriver::Start() {
  const auto weak = weak_from_this();
  orders_.emplace(options_.node, [weak](const Orders::Outcome& outcome) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      const std::lock_guard lock(self->mutex_);
      const std::string& id = outcome.order.spec.id;
      if (outcome.status.ok() && self->plugins_) {
        auto& plugins = *self->plugins_;
        if (outcome.order.kind == Order::Kind::kStart) {
          plugins[id] = outcome.plugin;
        } else if (auto found = plugins.find(id); found != plugins.end()) {
          if (found->second.state() != picket::v1::PLUGIN_STATE_STOPPED) {
            found->second.set_state(picket::v1::PLUGIN_STATE_STOPPING);
          }
        }
      }
      self->orders_->Take(outcome, confab::Now());
    }
    self->timer_->Wake();
  });
  {
    const std::lock_guard lock(mutex_);  // the first tick waits until timer_ is set
    timer_ = std::make_unique<confab::TimerThread>([this](Instant now) { return Tick(now); });
  }
  StartWatches();
}

void DeanDriver::StartWatches() {
  // Calls `change` under the lock, then has everything looked at again.
  const auto updating = [this](auto change) {
    return [this, change](const auto& message) {
      {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        change(message);
      }
      timer_->Wake();
    };
  };
  flock_.emplace(options_.node, [this](const registry::Group& group) { HandleGroup(group); });
  picket_.emplace(
      WatchLocal<picket::v1::PicketService>(options_.node, "picket",
                                            &picket::v1::PicketService::Stub::async::WatchPlugins),
      updating([this](const picket::v1::WatchPluginsResponse& wire) {
        plugins_.emplace();
        for (const auto& plugin : wire.plugins()) (*plugins_)[plugin.spec().id()] = plugin;
      }),
      updating([this](const grpc::Status&) { plugins_ = std::nullopt; }));
  heartbeater_.emplace(
      WatchLocal<heartbeater::v1::HeartbeaterService>(
          options_.node, "heartbeater", &heartbeater::v1::HeartbeaterService::Stub::async::Watch),
      updating([this](const heartbeater::v1::WatchResponse& wire) { local_.Apply(wire.delta()); }));
  reeve::v1::WatchRequest proctors;
  proctors.mutable_selector()->set_horde("radix");
  proctors.mutable_selector()->set_api("proctor1");
  reeve_.emplace(
      WatchLocal<reeve::v1::ReeveService>(options_.node, "reeve",
                                          &reeve::v1::ReeveService::Stub::async::Watch, proctors),
      updating([this](const reeve::v1::WatchResponse& wire) {
        const auto delta = registry::DeltaFrom("delta", wire.delta());
        if (!delta.ok()) return spdlog::error("reeve: {}", std::string(delta.status().message()));
        allegiance_.HandleProctors(*delta);
      }));
}

// Not with the lock held, which their handlers take.
void DeanDriver::EndWatches() {
  flock_.reset();
  picket_.reset();
  heartbeater_.reset();
  reeve_.reset();
}

Instant DeanDriver::Tick(Instant now) {
  const Instant next = TakeTurn(now);
  TellDecisions();
  return next;
}

void DeanDriver::TellDecisions() {
  std::function<void()> changed;
  {
    const std::lock_guard lock(mutex_);
    if (!acceptor_.is_open()) return;
    const Told now(acceptor_.document().epoch, acceptor_.document().revision, heard_.size(),
                   Follows());
    if (told_ == now) return;
    told_ = now;
    changed = on_decisions_;
  }
  if (changed) changed();  // not with the lock held: it asks for them
}

void DeanDriver::OnDecisions(std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  on_decisions_ = std::move(changed);
}

std::optional<DeanDriver::KnownDecisions> DeanDriver::DecisionsOf(
    const std::set<std::string>& kinds) {
  v1::DocumentBody body;
  KnownDecisions known;
  {
    const std::lock_guard lock(mutex_);
    if (!acceptor_.is_open()) return std::nullopt;
    body.ParseFromString(acceptor_.document().body);
    known.revision = static_cast<std::int64_t>(acceptor_.document().revision);
    known.follows = Follows();
    for (const auto& [key, decision] : heard_) Replace(body, decision);
  }
  for (v1::Decision& each : *body.mutable_decisions()) {
    if (kinds.contains(each.kind())) known.all.push_back(std::move(each));
  }
  return known;
}

Instant DeanDriver::TakeTurn(Instant now) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Instant::max();
  Instant next = std::min(now + 1s, acceptor_.Tick(now));
  Follow(now);
  Accept();
  next = std::min(next, GiveOrders(now));
  Report();
  if (follow_again_at_ > now) next = std::min(next, follow_again_at_);
  if (session_) next = std::min(next, allegiance_.grant_until());
  return std::max(next, now + 10ms);  // bounds how often a storm of changes is looked at
}

void DeanDriver::HandleGroup(const registry::Group& group) {
  const Instant now = confab::Now();  // before the lock: waiting for it prolongs no grant
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    allegiance_.HandleGroup(group, now);
  }
  timer_->Wake();
}

void DeanDriver::Follow(Instant now) {
  const auto followed = allegiance_.FollowedAt(now);
  if (session_ && session_->with != followed && !allegiance_.MayStay(session_->with, now)) Leave();
  if (session_ || !followed || !acceptor_.is_open() || now < follow_again_at_) return;
  Open(*followed, now);
}

void DeanDriver::Open(const Allegiance::Followed& followed, Instant now) {
  follow_again_at_ = now + follow_backoff_.Next(random_);
  const auto channel = confab::Dial(options_.node, followed.net_id, "proctor");
  if (!channel.ok()) {
    spdlog::error("proctor at {}: {}", followed.net_id, std::string(channel.status().message()));
    return;
  }
  if (!acceptor_.Prepare(followed.epoch)) return;

  const std::uint64_t id = ++last_session_;
  session_.emplace();
  session_->id = id;
  session_->with = followed;
  session_->stub = v1::ProctorService::NewStub(*channel);
  session_->stream = Stream::Create(kQueueMax);
  session_->stub->async()->Follow(&session_->stream->context(), session_->stream.get());
  session_->stream->Begin({.on_message =
                               [weak = weak_from_this(), id](const v1::FollowResponse& response) {
                                 if (const auto self = weak.lock())
                                   self->HandleResponse(id, response);
                               },
                           .on_end =
                               [weak = weak_from_this(), id](const grpc::Status& status) {
                                 if (const auto self = weak.lock()) self->HandleEnd(id, status);
                               }});
  v1::FollowRequest request;
  v1::FollowHello& hello = *request.mutable_hello();
  hello.set_epoch(followed.epoch);
  hello.set_node(options_.node.name);
  hello.set_address(own_address_);
  const registry::Member* own = allegiance_.group()->Find(options_.node.address);
  if (own != nullptr) hello.set_boot(own->boot);
  for (const std::string& label : options_.node.labels) hello.add_labels(label);
  *hello.mutable_document() = ToWire(acceptor_.document(), /*with_body=*/true);
  hello.set_losses(acceptor_.losses());
  *hello.mutable_plugins() = MakeReport();
  session_->reported = hello.plugins().SerializeAsString();
  session_->stream->Send(std::move(request));
}

// What came over this session counts no more, acknowledgements under way included.
void DeanDriver::Leave() {
  session_->stream->Cancel();
  session_ = std::nullopt;
  pending_ = std::nullopt;
  assignment_ = std::nullopt;
}

void DeanDriver::HandleResponse(std::uint64_t session, const v1::FollowResponse& response) {
  {
    const std::lock_guard lock(mutex_);
    if (!session_ || session_->id != session || response.epoch() != session_->with.epoch) return;
    if (!session_->answered) {
      spdlog::info("follows the proctor at {} under epoch {}", session_->with.net_id,
                   session_->with.epoch);
    }
    session_->answered = true;
    follow_backoff_.Reset();
    if (response.has_write()) {
      HandleWrite(response);
    } else if (response.has_assignment()) {
      assignment_ = ToAssignment(response.assignment());
      assignment_revision_ = response.assignment().revision();
    }
  }
  timer_->Wake();
}

void DeanDriver::HandleEnd(std::uint64_t session, const grpc::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (!session_ || session_->id != session) return;
    const std::string problem = absl::StrCat(session_->with.net_id, ": ", status.error_message());
    if (problem != follow_problem_) spdlog::info("follows no proctor: {}", problem);
    follow_problem_ = problem;
    Leave();
  }
  timer_->Wake();
}

// The files come first: what a quorum acknowledged must be there to run.
void DeanDriver::HandleWrite(const v1::FollowResponse& response) {
  auto document = ToDocument(response.write());
  v1::DocumentBody body;
  const bool current = document.ok() && document->epoch == session_->with.epoch;
  if (!current || !body.ParseFromString(document->body)) {
    spdlog::error("refused a malformed document");
    Document name;
    name.epoch = response.write().epoch();
    name.revision = response.write().revision();
    return SendAck(name, "malformed");
  }
  if (pending_ && SameName(pending_->document, *document)) return;  // repeated while under way
  HearRevocations(body);
  v1::DocumentBody before;
  before.ParseFromString(acceptor_.document().body);
  std::set<std::string> files = FilesOf(body);
  for (const std::string& file : FilesOf(before)) files.erase(file);
  pending_ = PendingWrite{*document, files.empty()};
  if (files.empty()) return;
  PullFiles(options_.node, files, response.rewritten() ? kRewrittenPullLimit : kPullLimit,
            [weak = weak_from_this(), session = session_->id, document = *document,
             rewritten = response.rewritten()](const absl::Status& status) {
              if (const auto self = weak.lock()) {
                self->HandlePulled(session, document, rewritten, status);
              }
            });
}

void DeanDriver::HearRevocations(const v1::DocumentBody& body) {
  for (const v1::Decision& decision : body.decisions()) {
    if (decision.kind() != trust::Revoked::kKind) continue;
    heard_.insert_or_assign(decision.key(), decision);
  }
}

void DeanDriver::HandlePulled(std::uint64_t session, const Document& document, bool rewritten,
                              const absl::Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (!session_ || session_->id != session || !pending_ ||
        !SameName(pending_->document, document)) {
      return;
    }
    if (status.ok() || rewritten) {
      if (!status.ok()) spdlog::warn("without its file: {}", std::string(status.message()));
      pending_->pulled = true;
    } else {
      spdlog::warn("revision {} refused: {}", document.revision, std::string(status.message()));
      pending_ = std::nullopt;
      SendAck(document, std::string(status.message()));
    }
  }
  timer_->Wake();
}

// Puts what is pending on disk, and acknowledges it.
void DeanDriver::Accept() {
  if (!pending_ || !pending_->pulled || !session_) return;
  const Document document = std::move(pending_->document);
  pending_ = std::nullopt;
  const std::string refusal = acceptor_.Write(document);
  disk_refuses_ = !refusal.empty();
  if (!disk_refuses_) heard_.clear();  // the document has them, or they were not kept after all
  SendAck(document, refusal);
}

void DeanDriver::SendAck(const Document& document, const std::string& refusal) {
  v1::FollowRequest request;
  *request.mutable_ack()->mutable_document() = ToWire(document, /*with_body=*/false);
  request.mutable_ack()->set_refusal(refusal);
  if (!session_->stream->Send(std::move(request))) session_->stream->Cancel();
}

Instant DeanDriver::GiveOrders(Instant now) {
  if (!plugins_) return Instant::max();
  std::vector<Plugin> plugins;
  for (const auto& [id, plugin] : *plugins_) plugins.push_back(ToPlugin(plugin, false));
  const std::vector<Order> orders = Conform(options_.builtins, assignment_, plugins);
  if (assignment_ && orders.empty()) conformed_revision_ = assignment_revision_;
  return orders_->Issue(
      orders,
      [this](const Order& order) -> std::int64_t {
        return order.spec.owner == "dean" || !session_ ? 0 : session_->with.epoch;
      },
      now);
}

void DeanDriver::Report() {
  if (!session_ || !plugins_) return;
  v1::FollowRequest request;
  *request.mutable_plugins() = MakeReport();
  std::string report = request.plugins().SerializeAsString();
  if (report == session_->reported) return;
  session_->reported = std::move(report);
  if (!session_->stream->Send(std::move(request))) session_->stream->Cancel();
}

v1::PluginsReport DeanDriver::MakeReport() const {
  v1::PluginsReport report;
  const std::vector<picket::v1::Plugin> plugins = PluginList();
  for (const picket::v1::Plugin& plugin : plugins) *report.add_plugins() = plugin;
  const Served served = local_.Compare(plugins);
  for (const std::string& id : served.ids) report.add_serving_ids(id);
  for (const auto& [id, registration] : served.otherwise) {
    v1::Registration& wire = *report.add_registrations();
    wire.set_id(id);
    wire.set_horde(registration.horde);
    wire.set_api(registration.api);
    wire.set_inst(registration.inst);
  }
  report.set_assignment_revision(conformed_revision_);
  for (const std::string& error : orders_->Errors()) report.add_errors(error);
  return report;
}

std::vector<picket::v1::Plugin> DeanDriver::PluginList() const {
  std::vector<picket::v1::Plugin> list;
  if (!plugins_) return list;
  for (const auto& [id, plugin] : *plugins_) list.push_back(plugin);
  return list;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> DeanDriver::Proctor() {
  const std::lock_guard lock(mutex_);
  const auto net_id = allegiance_.AskedAt(confab::Now());
  if (!net_id.ok()) return net_id.status();
  if (*net_id != channel_net_id_) {
    auto channel = confab::Dial(options_.node, *net_id, "proctor");
    if (!channel.ok()) return channel.status();
    channel_ = *std::move(channel);
    channel_net_id_ = *net_id;
  }
  return channel_;
}

v1::GetNodeResponse DeanDriver::NodeState() {
  const std::lock_guard lock(mutex_);
  v1::GetNodeResponse response;
  response.set_node(options_.node.name);
  if (session_ && session_->answered) response.set_epoch(session_->with.epoch);
  *response.mutable_document() = ToWire(acceptor_.document(), false);
  for (picket::v1::Plugin& plugin : PluginList()) *response.add_plugins() = std::move(plugin);
  return response;
}

void DeanDriver::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (session_) Leave();
  }
  EndWatches();
}

}  // namespace radix::proctor
