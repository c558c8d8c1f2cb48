#include "clients/cpp/connector.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cpp/client_stream.h"
#include "clients/cpp/default_deadline.h"
#include "clients/cpp/unavailable_watch.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"

namespace radix {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using HealthStream = ClientStream<HealthCheckResponse>;
// How long a server has to answer that it is there.
constexpr auto kProbeLimit = std::chrono::seconds(1);

Selector WithHorde(Selector selector) {
  const char* horde = std::getenv("RADIX_HORDE");
  if (selector.horde.empty()) selector.horde = horde != nullptr && *horde ? horde : "default";
  return selector;
}

registry::v1::Selector ToWire(const Selector& selector) {
  registry::v1::Selector wire;
  wire.set_horde(selector.horde);
  wire.set_api(selector.api);
  wire.set_inst(selector.inst);
  return wire;
}

Binding::Options OptionsFor(const Network& network) {
  static std::atomic<int> count = 0;
  return {.node = network.node.name,
          .client = absl::StrCat(network.node.name, "/", getpid(), "/", ++count)};
}

}  // namespace

struct Connector::Link {
  Binding::ConnectionId connection = 0;
  Bound bound;
  std::mutex mutex;
  std::shared_ptr<grpc::Channel> channel;  // once the server lets it in
  std::shared_ptr<HealthStream> health;    // from then on
  bool replaces = false;                   // another, until it serves
  Connector* owner = nullptr;              // nullptr: dropped

  void OnHealth(const std::shared_ptr<Link>& self, bool serves) {
    const std::lock_guard lock(mutex);
    if (owner == nullptr) return;
    if (std::exchange(replaces, false)) owner->TakeReplacement(self);
    {
      const std::lock_guard owner_lock(owner->mutex_);
      if (serves) {
        owner->binding_.OnServing(connection, confab::Now());
      } else {
        owner->binding_.OnDraining(connection, confab::Now());
      }
    }
    owner->timer_.Wake();
  }

  // The server lets this client in, or it does not.
  void Begin(const std::shared_ptr<Link>& self,
             absl::StatusOr<std::shared_ptr<grpc::Channel>> dialled) {
    const std::lock_guard lock(mutex);
    if (owner == nullptr) return;
    if (!dialled.ok()) {
      Break(self, std::string(dialled.status().message()));
      return;
    }
    channel = *std::move(dialled);
    health = HealthStream::Create();   // from here on it must begin, or it would never end
    const HealthCheckRequest request;  // of the server as a whole
    Health::NewStub(channel)->async()->Watch(&health->context(), &request, health.get());
    health->Begin({.on_message =
                       [self](const HealthCheckResponse& each) {
                         self->OnHealth(self, each.status() == HealthCheckResponse::SERVING);
                       },
                   .on_end = [self](const grpc::Status& status) { self->OnEnd(self, status); }});
  }

  // With the lock held, and an owner. What fails to take another's place changes nothing.
  void Break(const std::shared_ptr<Link>& self, const std::string& reason) {
    if (replaces) {
      owner->DropReplacement(self);
    } else {
      owner->OnBroken(connection, reason);
    }
  }

  void OnEnd(const std::shared_ptr<Link>& self, const grpc::Status& status) {
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      // It has no health service, but it answers. That it broke, Current finds out.
      OnHealth(self, true);
      return;
    }
    const std::lock_guard lock(mutex);
    if (owner != nullptr) Break(self, status.error_message());
  }

  // Another key is due; or the server is not to be called any more.
  void OnDue(const absl::Status& status) {
    const std::lock_guard lock(mutex);
    if (owner == nullptr) return;
    if (!status.ok()) {
      owner->OnBroken(connection, std::string(status.message()));
      return;
    }
    {
      const std::lock_guard owner_lock(owner->mutex_);
      owner->due_.insert(connection);
    }
    owner->timer_.Wake();
  }

  // A call ended with UNAVAILABLE, and its caller is about to hear of it. A broken connection shows
  // in the channel and in the health stream a little later: until it is asked, no other call may
  // follow the one that was in flight.
  void OnUnavailable(const std::shared_ptr<Link>& self) {
    {
      const std::lock_guard lock(mutex);
      if (owner == nullptr) return;
      const std::lock_guard owner_lock(owner->mutex_);
      if (owner->doubted_ == connection || owner->stopping_) return;
      owner->doubted_ = connection;
    }
    struct Probe {
      grpc::ClientContext context;
      HealthCheckRequest request;  // of the server as a whole
      HealthCheckResponse response;
    };
    auto probe = std::make_shared<Probe>();
    probe->context.set_deadline(confab::WallDeadline(kProbeLimit));
    Health::NewStub(channel)->async()->Check(
        &probe->context, &probe->request, &probe->response,
        [self, probe](const grpc::Status& status) { self->OnProbed(status); });
  }

  void OnProbed(const grpc::Status& status) {
    const std::lock_guard lock(mutex);
    if (owner == nullptr) return;
    const bool answers = status.ok() || status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
                         status.error_code() == grpc::StatusCode::NOT_FOUND;
    if (!answers) owner->OnBroken(connection, status.error_message());
    owner->OnProven(connection);
  }

  // Nothing reaches the owner after this.
  void Leave() {
    std::shared_ptr<HealthStream> begun;
    {
      const std::lock_guard lock(mutex);
      owner = nullptr;
      begun = health;
    }
    if (begun != nullptr) begun->Cancel();
  }
};

Connector::Connector(const Network& network, const Selector& selector, ConnectOptions options,
                     MakeStub make_stub)
    : node_(network.node),
      selector_(WithHorde(selector)),
      options_(std::move(options)),
      make_stub_(std::move(make_stub)),
      binding_(OptionsFor(network), confab::RandomNumber()),
      timer_([this](Instant now) { return Tick(now); }),
      watch_(network, ToWire(selector_), options_.rescan,
             [this](const registry::v1::Delta& delta) { OnDelta(delta); }) {}

Connector::~Connector() {
  std::map<Binding::ConnectionId, std::shared_ptr<Link>> links;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    links.swap(links_);
    links.merge(replacements_);  // what has the same number as another stays in there
  }
  for (const auto& [connection, link] : links) link->Leave();
  for (const auto& [connection, link] : replacements_) link->Leave();
}

std::shared_ptr<const Connector::Route> Connector::Current() {
  const Instant limit = confab::Now() + options_.wait;
  std::unique_lock lock(mutex_);
  while (true) {
    const std::shared_ptr<const Route> route = route_;
    const bool doubted = route != nullptr && route->connection == doubted_;
    if (route != nullptr && (!doubted || options_.wait == 0ns)) {
      // A break may show in the channel before the health stream tells of it.
      lock.unlock();
      if (route->channel->GetState(false) == GRPC_CHANNEL_READY) return route;
      OnBroken(route->connection, "the connection broke");
      lock.lock();
      continue;
    }
    const Instant now = confab::Now();
    if (now >= limit) break;
    changed_.wait_for(lock, limit - now);
  }
  lock.unlock();
  return RouteToNowhere();
}

Bound Connector::bound() const {
  const std::lock_guard lock(mutex_);
  return route_ == nullptr ? Bound{} : route_->bound;
}

std::uint64_t Connector::rebinds() const {
  const std::lock_guard lock(mutex_);
  return binds_ == 0 ? 0 : binds_ - 1;
}

Instant Connector::Tick(Instant now) {
  while (true) {
    std::optional<Binding::Act> act;
    std::set<Binding::ConnectionId> due;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return Instant::max();
      due.swap(due_);
      act = binding_.Poll(now);
      if (!act && due.empty()) return binding_.next_time();
    }
    for (const Binding::ConnectionId connection : due) Renew(connection);
    if (act) CarryOut(*act);
    now = confab::Now();
  }
}

void Connector::CarryOut(const Binding::Act& act) {
  switch (act.kind) {
    case Binding::Act::Kind::kConnect:
      return OpenLink(act);
    case Binding::Act::Kind::kBind:
      return BindTo(act);
    case Binding::Act::Kind::kUnbind: {
      const std::lock_guard lock(mutex_);
      if (route_ != nullptr && route_->connection == act.connection) route_ = nullptr;
      return;
    }
    case Binding::Act::Kind::kDrop:
      return DropLink(act.connection);
  }
}

void Connector::OpenLink(const Binding::Act& act) {
  auto link = std::make_shared<Link>();
  link->connection = act.connection;
  link->bound = {act.candidate.inst, act.candidate.net_id, act.candidate.node};
  link->owner = this;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    links_[act.connection] = link;
  }
  Dial(link);
}

// Opens another connection, by another key, to where that one leads.
void Connector::Renew(Binding::ConnectionId connection) {
  auto link = std::make_shared<Link>();
  link->connection = connection;
  link->owner = this;
  link->replaces = true;
  {
    const std::lock_guard lock(mutex_);
    const auto old = links_.find(connection);
    if (stopping_ || old == links_.end() || replacements_.contains(connection)) return;
    link->bound = old->second->bound;
    replacements_[connection] = link;
  }
  Dial(link);
}

// It serves: new calls go there, and those in flight end where they are. With the link's lock held.
void Connector::TakeReplacement(const std::shared_ptr<Link>& link) {
  auto stub = make_stub_(link->channel);
  std::shared_ptr<Link> old;
  {
    const std::lock_guard lock(mutex_);
    // Whoever took it out of there meanwhile has it leave.
    if (stopping_ || replacements_.erase(link->connection) == 0) return;
    const auto place = links_.find(link->connection);
    old = std::exchange(place->second, link);
    if (route_ != nullptr && route_->connection == link->connection) {
      auto route = std::make_shared<Route>(*route_);
      route->channel = link->channel;
      route->stub = std::move(stub);
      route_ = std::move(route);
    }
  }
  old->Leave();
}

void Connector::DropReplacement(const std::shared_ptr<Link>& link) {
  const std::lock_guard lock(mutex_);
  const auto place = replacements_.find(link->connection);
  if (place != replacements_.end() && place->second == link) replacements_.erase(place);
}

void Connector::Dial(const std::shared_ptr<Link>& link) {
  confab::ClientInterceptors interceptors;
  if (options_.default_deadline > 0ns) {
    interceptors.push_back(MakeDefaultDeadlineFactory(options_.default_deadline));
  }
  interceptors.push_back(MakeUnavailableWatch([weak = std::weak_ptr(link)] {
    if (const auto live = weak.lock()) live->OnUnavailable(live);
  }));
  const auto endpoint = Endpoint::Parse(link->bound.net_id);
  if (!endpoint.ok()) return link->Begin(link, endpoint.status());
  confab::DialIntroduced(node_,
                         {.endpoint = *endpoint,
                          .horde = selector_.horde,
                          .api = selector_.api,
                          .inst = link->bound.inst,
                          .on_due =
                              [weak = std::weak_ptr(link)](const absl::Status& status) {
                                if (const auto live = weak.lock()) live->OnDue(status);
                              }},
                         std::move(interceptors),
                         [link](absl::StatusOr<std::shared_ptr<grpc::Channel>> channel) {
                           link->Begin(link, std::move(channel));
                         });
}

void Connector::BindTo(const Binding::Act& act) {
  auto route = std::make_shared<Route>();
  {
    const std::lock_guard lock(mutex_);
    // It may have broken since this was decided; then other acts follow.
    const auto link = links_.find(act.connection);
    if (link == links_.end() || binding_.bound() != act.connection) return;
    route->bound = link->second->bound;
    route->channel = link->second->channel;
  }
  route->connection = act.connection;
  route->stub = make_stub_(route->channel);
  {
    const std::lock_guard lock(mutex_);
    if (binding_.bound() != act.connection) return;
    route_ = route;
    ++binds_;
  }
  changed_.notify_all();
  if (options_.on_rebound) options_.on_rebound(route->bound);
}

void Connector::DropLink(Binding::ConnectionId connection) {
  std::vector<std::shared_ptr<Link>> dropped;
  {
    const std::lock_guard lock(mutex_);
    for (auto* const links : {&links_, &replacements_}) {
      const auto place = links->find(connection);
      if (place == links->end()) continue;
      dropped.push_back(std::move(place->second));
      links->erase(place);
    }
  }
  for (const auto& link : dropped) link->Leave();
}

void Connector::OnDelta(const registry::v1::Delta& delta) {
  std::vector<Candidate> live;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& change : delta.changes()) {
      const auto& each = change.instance();
      if (each.status() == registry::v1::STATUS_DEAD) {
        if (!delta.snapshot()) binding_.Remove(each.inst(), each.net_id());
        continue;
      }
      Candidate candidate{each.inst(), each.net_id(), each.node(),
                          each.status() != registry::v1::STATUS_SERVING};
      if (delta.snapshot()) {
        live.push_back(std::move(candidate));
      } else {
        binding_.Put(candidate);
      }
    }
    if (delta.snapshot()) binding_.Replace(live);
  }
  timer_.Wake();
}

void Connector::OnBroken(Binding::ConnectionId connection, const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    binding_.OnBroken(connection, confab::Now());
    if (route_ != nullptr && route_->connection == connection) route_ = nullptr;
    last_failure_ = reason;
  }
  timer_.Wake();
}

void Connector::OnProven(Binding::ConnectionId connection) {
  {
    const std::lock_guard lock(mutex_);
    if (doubted_ == connection) doubted_ = 0;
  }
  changed_.notify_all();
}

std::shared_ptr<const Connector::Route> Connector::RouteToNowhere() {
  const std::string watch_error = watch_.error();
  const std::lock_guard lock(mutex_);
  std::string reason = absl::StrCat(
      "no live instance of ", selector_.api.empty() ? "inst " : "api ",
      selector_.api.empty() ? selector_.inst : selector_.api, " in horde ", selector_.horde);
  if (!watch_error.empty()) {
    absl::StrAppend(&reason, "; this node's reeve: ", watch_error);
  } else if (!last_failure_.empty()) {
    absl::StrAppend(&reason, "; last failure: ", last_failure_);
  }
  if (nowhere_ == nullptr || reason != nowhere_reason_) {
    auto route = std::make_shared<Route>();
    route->channel = confab::DialNowhere(grpc::Status(grpc::StatusCode::UNAVAILABLE, reason));
    route->stub = make_stub_(route->channel);
    nowhere_ = std::move(route);
    nowhere_reason_ = std::move(reason);
  }
  return nowhere_;
}

}  // namespace radix
