// Calls a service by its api, wherever its best instance runs now:
//
//   auto galumph = radix::Connect<galumph::v2::Galumph>(network, {.api = "galumph2"});
//   grpc::Status s = galumph->Register(&context, request, &reply);   // plain gRPC from here on

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "clients/cpp/connect_options.h"
#include "clients/cpp/connector.h"
#include "clients/cpp/network.h"

namespace radix {

// A client that stays connected to the best live instance: the lexicographically greatest inst.
//
// A better instance is warmed up, then new calls go there; calls in flight finish where they
// started. A broken connection is replaced at once: only the calls that were in flight on it fail,
// with UNAVAILABLE. Without any instance calls fail with UNAVAILABLE and say what is missing.
//
// Thread-safe; cheap to call through, costly to make (a thread, a stream): make one for each api,
// and keep it. Destroying it leaves calls in flight alone, as long as there is a copy of its
// Network, by which servers know this process.
template <typename Service>
class Connection {
 public:
  using Stub = typename Service::Stub;

  // The stub of one instance, and what keeps it alive. Use it for one call, do not keep it: only a
  // new `->` follows the changes.
  class Handle {
   public:
    Stub* operator->() const { return static_cast<Stub*>(route_->stub.get()); }

   private:
    friend class Connection;
    explicit Handle(std::shared_ptr<const Connector::Route> route) : route_(std::move(route)) {}
    std::shared_ptr<const Connector::Route> route_;
  };

  explicit Connection(std::unique_ptr<Connector> connector) : connector_(std::move(connector)) {}

  // The stub of the best instance now. Waits while there is none, at most ConnectOptions::wait; so
  // it must not be called from one of gRPC's own threads (a reaction), unless that is 0. For
  // `->async()` calls, streams included, the same holds as for blocking ones.
  Handle operator->() const { return Handle(connector_->Current()); }

  // The instance that calls go to now; an empty one for none.
  Bound bound() const { return connector_->bound(); }

  // How often calls went to another connection than before.
  std::uint64_t rebinds() const { return connector_->rebinds(); }

 private:
  std::unique_ptr<Connector> connector_;
};

// Connects; returns at once.
template <typename Service>
Connection<Service> Connect(const Network& network, const Selector& selector,
                            ConnectOptions options = {}) {
  return Connection<Service>(std::make_unique<Connector>(
      network, selector, std::move(options), [](const std::shared_ptr<grpc::Channel>& channel) {
        return std::shared_ptr<void>(
            std::shared_ptr<typename Service::Stub>(Service::NewStub(channel)));
      }));
}

}  // namespace radix
