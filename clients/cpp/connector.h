// What is behind Connect: keeps one client connected to the best instance. Applications use
// connect.h.

#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "clients/cpp/binding.h"
#include "clients/cpp/connect_options.h"
#include "clients/cpp/instance_watch.h"
#include "clients/cpp/network.h"
#include "services/confab/timer_thread.h"

namespace radix {

// Carries out what a Binding decides: watches reeve, opens channels, and follows each through its
// server's health stream, which tells in one what is to be known: that the connection works, that
// the instance drains, that the connection broke.
//
// Thread-safe. Must outlive the calls of Current, not the calls that are made on a route.
class Connector {
 public:
  // The way to one instance. Calls in flight keep the channel alive by themselves.
  struct Route {
    Bound bound;
    Binding::ConnectionId connection = 0;  // 0: leads nowhere
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<void> stub;
  };
  using MakeStub = std::function<std::shared_ptr<void>(const std::shared_ptr<grpc::Channel>&)>;

  Connector(const Network& network, const Selector& selector, ConnectOptions options,
            MakeStub make_stub);
  ~Connector();

  // The route of now. Waits for one, at most the `wait` of the options; then a route on which every
  // call fails at once and says why.
  std::shared_ptr<const Route> Current();

  // The instance of now; an empty one for none.
  Bound bound() const;

  // How often calls went to another connection than before.
  std::uint64_t rebinds() const;

 private:
  struct Link;  // a channel and its health stream

  Instant Tick(Instant now);
  void CarryOut(const Binding::Act& act);
  void OpenLink(const Binding::Act& act);
  void Dial(const std::shared_ptr<Link>& link);
  void Renew(Binding::ConnectionId connection);
  void TakeReplacement(const std::shared_ptr<Link>& link);
  void DropReplacement(const std::shared_ptr<Link>& link);
  void BindTo(const Binding::Act& act);
  void DropLink(Binding::ConnectionId connection);
  void OnDelta(const registry::v1::Delta& delta);
  void OnBroken(Binding::ConnectionId connection, const std::string& reason);
  void OnProven(Binding::ConnectionId connection);
  std::shared_ptr<const Route> RouteToNowhere();

  const confab::Node node_;
  const Selector selector_;
  const ConnectOptions options_;
  const MakeStub make_stub_;

  mutable std::mutex mutex_;  // of all that follows up to timer_; taken after a Link's
  std::condition_variable changed_;
  Binding binding_;
  std::map<Binding::ConnectionId, std::shared_ptr<Link>> links_;
  // Links that are to take the place of those with the same number, whose keys are due.
  std::map<Binding::ConnectionId, std::shared_ptr<Link>> replacements_;
  std::set<Binding::ConnectionId> due_;
  std::shared_ptr<const Route> route_;
  Binding::ConnectionId doubted_ = 0;  // a call on it found nobody: no other goes there until asked
  std::shared_ptr<const Route> nowhere_;
  std::string nowhere_reason_;
  std::string last_failure_;
  std::uint64_t binds_ = 0;
  bool stopping_ = false;

  confab::TimerThread timer_;
  InstanceWatch watch_;  // last: it wakes the timer
};

}  // namespace radix
