// HeartbeaterService as a plugin has it, behind its door: Beat, and only that.

#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "radix/heartbeater/v1/heartbeater.grpc.pb.h"
#include "services/confab/node.h"
#include "services/confab/server_stream.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/current_rules_driver.h"
#include "services/trust/pairing_service.h"
#include "services/trust/plugin_door.h"

namespace radix::reeve {

// Relays its heartbeats to the node's heartbeater, whose answers and whose status go back as they
// are. A beat of another horde, api, inst or address ends the stream with PERMISSION_DENIED and
// names the field; one that is not allowed to serve by the rules of now, with the rule; one of a
// node that is not admitted to its horde, with that.
// Thread-safe. Must outlive the server that it is registered with.
class BoundHeartbeaterService final : public heartbeater::v1::HeartbeaterService::CallbackService {
 public:
  static constexpr std::size_t kStreamsMax = 8;

  // Called on gRPC's threads; must not block.
  struct Handlers {
    std::function<void(const trust::Claim& said)> on_refused;  // the wrong name
    std::function<void()> on_taken;                            // the heartbeater has it
  };

  // `node` is the node itself, `rules` and `pairing` must outlive this.
  BoundHeartbeaterService(trust::Door door, confab::Node node, const trust::CurrentRules& rules,
                          trust::PairingServiceImpl& pairing, Handlers handlers)
      : door_(std::move(door)),
        node_(std::move(node)),
        rules_(rules),
        pairing_(pairing),
        handlers_(std::move(handlers)) {}

  grpc::ServerBidiReactor<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>* Beat(
      grpc::CallbackServerContext* context) override;

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using Stream = confab::ServerBidi<heartbeater::v1::BeatRequest, heartbeater::v1::BeatResponse>;
  // By which rules it was last allowed to serve; of one stream.
  using Allowed = std::shared_ptr<const trust::Rules>;

  absl::Status Check(const heartbeater::v1::BeatRequest& beat, Allowed& allowed) const;

  const trust::Door door_;
  const confab::Node node_;
  const trust::CurrentRules& rules_;
  trust::PairingServiceImpl& pairing_;
  const Handlers handlers_;
  std::atomic<bool> ending_ = false;
  registry::StreamSet<Stream> streams_{kStreamsMax};
};

}  // namespace radix::reeve
