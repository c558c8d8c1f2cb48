// A flock for tests: says to its node what the test says.

#pragma once

#include <google/protobuf/util/time_util.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "radix/flock/v1/flock.grpc.pb.h"
#include "services/confab/serve.h"
#include "services/confab/server_stream.h"
#include "services/registry/pulled_stream.h"

namespace radix::registry {

// Serves WatchGroup on STATE/flock.sock of `node`. Thread-safe.
class FakeFlock {
 public:
  explicit FakeFlock(const confab::Node& node)
      : server_(
            *confab::Server::Start(node, {.socket = "flock"},
                                   {{&service_, flock::v1::FlockService::service_full_name()}})) {}

  ~FakeFlock() {
    service_.streams.EndAll(grpc::Status::CANCELLED);
    server_->Shutdown(std::chrono::seconds(1));
  }

  // Tells this to whoever watches, and to whoever comes.
  void Say(flock::v1::WatchGroupResponse group) {
    {
      const std::lock_guard lock(service_.mutex);
      service_.group = std::move(group);
      ++service_.revision;
    }
    service_.streams.WakeAll();
  }

 private:
  using Stream = PulledStream<flock::v1::WatchGroupResponse>;

  class Service final : public flock::v1::FlockService::CallbackService {
   public:
    grpc::ServerWriteReactor<flock::v1::WatchGroupResponse>* WatchGroup(
        grpc::CallbackServerContext* /*context*/,
        const flock::v1::WatchGroupRequest* /*request*/) override {
      auto stream = Stream::Create();
      streams.Add(stream);
      auto told = std::make_shared<int>(0);
      stream->Begin(
          [this, told](flock::v1::WatchGroupResponse& response) {
            const std::lock_guard lock(mutex);
            if (*told == revision) return false;
            *told = revision;
            response = group;
            return true;
          },
          [this, stream] { streams.Remove(stream); });
      return stream.get();
    }

    std::mutex mutex;
    flock::v1::WatchGroupResponse group;
    int revision = 0;
    StreamSet<Stream> streams{64};
  };

  Service service_;
  std::unique_ptr<confab::Server> server_;
};

// A member as flock lists it.
inline flock::v1::Member FakeMember(const confab::Node& node, bool alive = true) {
  flock::v1::Member member;
  member.set_node(node.name);
  member.set_address(node.address.ToString());
  member.set_state(alive ? flock::v1::MEMBER_STATE_ALIVE : flock::v1::MEMBER_STATE_DEAD);
  member.set_boot("boot-" + node.name);
  return member;
}

}  // namespace radix::registry
