// This node's streams to the reeves of other nodes, one for each on which somebody here calls
// something.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "clients/cpp/client_stream.h"
#include "radix/trust/v1/pairing.grpc.pb.h"
#include "services/confab/address.h"
#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"

namespace radix::trust {

// Keeps a stream to every node that wants one; dials anew, with back-off and jitter, whenever one
// breaks; ends those that nobody has wanted for 30 s. Thread-safe.
class AnnounceLinks {
 public:
  // Called on this object's thread and on gRPC's, one at a time. They must not block, nor call this
  // object, except Wake.
  struct Handlers {
    // To which nodes there should be a link.
    std::function<std::vector<IpAddress>()> nodes;
    // There is a new link, over which nothing was said yet; or it has ended.
    std::function<void(const IpAddress&)> on_begin;
    std::function<void(const IpAddress&, const grpc::Status&)> on_end;
    // What is to be said next; nullopt for nothing.
    std::function<std::optional<v1::AnnounceRequest>(const IpAddress&)> next;
    std::function<void(const IpAddress&, const v1::AnnounceResponse&)> on_message;
  };

  // Reeves listen on `port`.
  AnnounceLinks(const confab::Node& node, std::uint16_t port, Handlers handlers);
  ~AnnounceLinks();
  AnnounceLinks(const AnnounceLinks&) = delete;
  AnnounceLinks& operator=(const AnnounceLinks&) = delete;

  // What `nodes` or `next` return may have changed.
  void Wake() { timer_.Wake(); }

 private:
  using Stream = ClientBidi<v1::AnnounceRequest, v1::AnnounceResponse>;
  struct Link {
    std::shared_ptr<Stream> stream;  // nullptr between two
    std::unique_ptr<v1::PairingService::Stub> stub;
    Instant wanted_at{};
    Instant not_before{};
    Backoff backoff{kFirstBackoff, kMostBackoff};
  };

  static constexpr Duration kFirstBackoff = 50ms;
  static constexpr Duration kMostBackoff = 1s;

  Instant Tick(Instant now);
  void Connect(const IpAddress& to, Link& link, Instant now);
  void SendNews(const IpAddress& to, Link& link);
  void HandleMessage(const IpAddress& from, const v1::AnnounceResponse& message);
  void HandleEnd(const IpAddress& from, const grpc::Status& status);

  const confab::Node node_;
  const std::uint16_t port_;
  const Handlers handlers_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::map<IpAddress, Link> links_;
  Random random_;
  confab::TimerThread timer_;  // last: its thread uses the others
};

}  // namespace radix::trust
