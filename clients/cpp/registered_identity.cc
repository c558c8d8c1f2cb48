#include "clients/cpp/registered_identity.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/guard.h"
#include "clients/cpp/introductions.h"
#include "clients/cpp/refusals.h"
#include "services/confab/certificate.h"
#include "services/confab/connections.h"
#include "services/confab/tls.h"

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
    const std::size_t ended =
        live->Recheck([&](const Shown& shown) { return find_caller(shown.key).has_value(); },
                      forbidden ? Connections::Silent::kEnd : Connections::Silent::kStay);
    if (ended > 0 && forbidden) {
      spdlog::info("some callers lost their right: {} connections were ended", ended);
    }
  };
}

class RegisteredIdentity final : public confab::Identity {
 public:
  RegisteredIdentity(const confab::Node& node, trust::Party self)
      : node_(node), self_(std::move(self)), introductions_(node) {}

  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ForServer(
      const confab::Served& served, const std::shared_ptr<Connections>& connections) override {
    const auto key = confab::TlsKey::Make();
    if (!key.ok()) return key.status();
    const auto shown = confab::TlsIdentity::Make(*key);
    if (!shown.ok()) return shown.status();
    auto guard =
        std::make_unique<Guard>(node_,
                                trust::GuardedEndpoint{.endpoint = served.endpoint,
                                                       .api = {served.horde, served.api},
                                                       .inst = served.inst,
                                                       .service = self_.service,
                                                       .keys = {key->id()},
                                                       .certificates = {key->certificate_pem()}},
                                EnderOf(connections));
    auto credentials = confab::ServerTls(
        *shown, [find_caller = guard->find_caller()](const absl::StatusOr<Shown>& each) {
          return CheckAdmitted(each, find_caller);
        });
    const std::lock_guard lock(mutex_);
    std::erase_if(servers_, [](const Server& each) { return each.connections.expired(); });
    servers_.push_back({connections, *shown, std::move(guard)});
    return credentials;
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
        });
  }

 private:
  struct Server {
    std::weak_ptr<Connections> connections;      // expired: it has ended
    std::shared_ptr<confab::TlsIdentity> shown;  // gRPC reads it for longer than it says
    std::unique_ptr<Guard> guard;
  };

  const confab::Node node_;
  const trust::Party self_;
  std::mutex mutex_;
  std::vector<Server> servers_;
  Introductions introductions_;
};

}  // namespace

std::shared_ptr<confab::Identity> MakeRegisteredIdentity(const confab::Node& node,
                                                         trust::Party self) {
  return std::make_shared<RegisteredIdentity>(node, std::move(self));
}

}  // namespace radix
