#include "clients/cpp/registered_identity.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/guard.h"
#include "clients/cpp/introductions.h"
#include "clients/cpp/refusals.h"
#include "services/confab/certificate.h"
#include "services/confab/clock.h"
#include "services/confab/connections.h"
#include "services/confab/entropy.h"
#include "services/confab/timer_thread.h"
#include "services/confab/tls.h"
#include "services/trust/rolling_key.h"

namespace radix {
namespace {

using confab::Connections;
using confab::Shown;
using trust::Whitelist;

std::string NameOf(const Shown& shown) {
  return absl::StrCat("key ", shown.key.ToString().substr(0, 16));
}

absl::Status CheckAdmitted(const absl::StatusOr<Shown>& shown,
                           const Guard::FindCaller& find_caller) {
  if (!shown.ok()) return SayRefused("a caller", shown.status());
  if (find_caller(shown->key)) return absl::OkStatus();
  return SayRefused("a caller", absl::UnauthenticatedError(absl::StrCat(
                                    NameOf(*shown), ": this node's reeve names nobody by it")));
}

absl::Status CheckEndpoint(const absl::StatusOr<Shown>& shown,
                           const Introductions::Introduced& introduced) {
  if (!shown.ok()) return SayRefused("a server", shown.status());
  if (introduced.IsEndpoint(shown->key)) return absl::OkStatus();
  return SayRefused("a server", absl::UnauthenticatedError(absl::StrCat(
                                    NameOf(*shown), ": it is not that of the endpoint")));
}

// Ends those whose callers are not let in any more.
Guard::OnLoss EnderOf(const std::shared_ptr<Connections>& connections) {
  return [weak = std::weak_ptr(connections)](Whitelist::Loss loss,
                                             const Guard::FindCaller& find_caller) {
    const auto live = weak.lock();
    if (live == nullptr) return;
    const bool forbidden = loss == Whitelist::Loss::kForbidden;
    live->Recheck(
        [find_caller, forbidden](const Shown& shown) {
          if (find_caller(shown.key)) return true;
          return forbidden &&
                 SayRefused("a caller",
                            absl::UnauthenticatedError(absl::StrCat(
                                NameOf(shown),
                                ": it lost its right, or was revoked; this node's reeve.log says "
                                "by what. Its connection was ended")))
                     .ok();
        },
        forbidden ? Connections::Silent::kEnd : Connections::Silent::kCheck);
  };
}

// A server, and the keys that it shows one after another.
class RolledServer {
 public:
  // `on_demand` is called when its key is to roll; then Roll is to be called.
  static absl::StatusOr<std::unique_ptr<RolledServer>> Make(
      const confab::Node& node, const std::string& service, const confab::Served& served,
      const std::shared_ptr<Connections>& connections, std::function<void()> on_demand) {
    auto key = confab::TlsKey::Make();
    if (!key.ok()) return key.status();
    auto shown = confab::TlsIdentity::Make(*key);
    if (!shown.ok()) return shown.status();
    std::unique_ptr<RolledServer> server(
        new RolledServer(connections, *std::move(key), *std::move(shown)));
    server->guard_ = std::make_unique<Guard>(
        node,
        trust::GuardedEndpoint{.endpoint = served.endpoint,
                               .api = {served.horde, served.api},
                               .inst = served.inst,
                               .service = service,
                               .keys = {server->key_.id()},
                               .certificates = {server->key_.certificate_pem()}},
        EnderOf(connections), [demanded = server->demanded_, on_demand = std::move(on_demand)] {
          demanded->store(true);
          on_demand();
        });
    return server;
  }

  std::shared_ptr<grpc::ServerCredentials> credentials() const {
    // gRPC reads what is shown for longer than it says: as long as it may check a caller.
    return confab::ServerTls(
        shown_,
        [shown = shown_, find_caller = guard_->find_caller()](const absl::StatusOr<Shown>& each) {
          return CheckAdmitted(each, find_caller);
        },
        connections_.lock());
  }

  void EndIfOf(const std::shared_ptr<Connections>& connections) {
    ended_ = ended_ || connections_.lock() == connections;
  }
  bool ended() const { return ended_ || connections_.expired(); }

  // Takes the steps whose time has come; returns that of the next.
  Instant Roll(Instant now) {
    if (demanded_->exchange(false)) roll_.Demand(now);
    while (const auto step = roll_.Poll(now)) Take(*step);
    return roll_.next_time();
  }

 private:
  RolledServer(const std::shared_ptr<Connections>& connections, confab::TlsKey key,
               std::shared_ptr<confab::TlsIdentity> shown)
      : connections_(connections), key_(std::move(key)), shown_(std::move(shown)) {}

  void Take(trust::RollingKey::Step step) {
    using Step = trust::RollingKey::Step;
    switch (step) {
      case Step::kMake: {
        auto made = confab::TlsKey::Make();
        if (!made.ok()) {
          spdlog::error("the key stays: {}", std::string(made.status().message()));
          return;
        }
        next_ = *std::move(made);
        guard_->SetKeys({&key_, &*next_});
        return;
      }
      case Step::kShow: {
        if (!next_) return;
        const absl::Status replaced = shown_->Replace(*next_);
        if (!replaced.ok()) {
          spdlog::error("the key stays: {}", std::string(replaced.message()));
          next_.reset();
          return;
        }
        std::swap(key_, *next_);
        return;
      }
      case Step::kForget:
        next_.reset();
        guard_->SetKeys({&key_});
        spdlog::info("shows key {} now", key_.id().ToString().substr(0, 16));
        return;
    }
  }

  const std::weak_ptr<Connections> connections_;  // expired: it has ended
  bool ended_ = false;
  confab::TlsKey key_;                  // that is shown
  std::optional<confab::TlsKey> next_;  // beside it, while one takes the other's place
  const std::shared_ptr<confab::TlsIdentity> shown_;
  const std::shared_ptr<std::atomic<bool>> demanded_ = std::make_shared<std::atomic<bool>>(false);
  trust::RollingKey roll_{confab::Now(), confab::RandomNumber()};
  std::unique_ptr<Guard> guard_;  // last: its threads use the others
};

class RegisteredIdentity final : public confab::Identity {
 public:
  RegisteredIdentity(const confab::Node& node, trust::Party self)
      : node_(node),
        self_(std::move(self)),
        introductions_(node),
        timer_([this](Instant now) { return Tick(now); }) {}

  ~RegisteredIdentity() override {
    // Their guards wake the timer, which would be gone first.
    std::vector<std::unique_ptr<RolledServer>> ending;
    {
      const std::lock_guard lock(mutex_);
      ending.swap(servers_);
    }
  }

  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ForServer(
      const confab::Served& served, const std::shared_ptr<Connections>& connections) override {
    auto server =
        RolledServer::Make(node_, self_.service, served, connections, [this] { timer_.Wake(); });
    if (!server.ok()) return server.status();
    auto credentials = (*server)->credentials();
    const std::lock_guard lock(mutex_);
    servers_.push_back(*std::move(server));
    timer_.Wake();
    return credentials;
  }

  void HandleServerEnd(const std::shared_ptr<Connections>& connections) override {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& server : servers_) server->EndIfOf(connections);
    }
    timer_.Wake();
  }

  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ForChannel(
      const Endpoint& /*to*/, const std::string& service) override {
    return absl::FailedPreconditionError(
        absl::StrCat("an application asks the ", service, " of its own node only"));
  }

  void Introduce(const confab::Callee& to, OnIntroduced done) override {
    auto made = confab::TlsKey::Make();
    if (!made.ok()) return done(made.status());
    const auto key = std::make_shared<const confab::TlsKey>(*std::move(made));
    introductions_.Ask(
        {.key = key->id(),
         .caller = self_,
         .endpoint = to.endpoint,
         .meant = {.horde = to.horde, .api = to.api, .inst = to.inst}},
        [key, done = std::move(done)](
            const absl::StatusOr<std::shared_ptr<Introductions::Introduced>>& introduced) {
          if (!introduced.ok()) return done(introduced.status());
          done(confab::ClientTls(*key,
                                 [introduced = *introduced](const absl::StatusOr<Shown>& each) {
                                   return CheckEndpoint(each, *introduced);
                                 }));
        },
        to.on_due);
  }

 private:
  Instant Tick(Instant now) {
    const std::lock_guard lock(mutex_);
    // Another process may serve where one ended.
    std::erase_if(servers_, [](const auto& each) { return each->ended(); });
    Instant next = Instant::max();
    for (const auto& server : servers_) next = std::min(next, server->Roll(now));
    return next;
  }

  const confab::Node node_;
  const trust::Party self_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RolledServer>> servers_;
  Introductions introductions_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace

std::shared_ptr<confab::Identity> MakeRegisteredIdentity(const confab::Node& node,
                                                         trust::Party self) {
  return std::make_shared<RegisteredIdentity>(node, std::move(self));
}

}  // namespace radix
