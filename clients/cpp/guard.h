// Who may call an endpoint of this process.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "clients/cpp/client_stream.h"
#include "clients/cpp/lasting_call.h"
#include "radix/trust/v1/pairing.grpc.pb.h"
#include "services/confab/certificate.h"
#include "services/confab/node.h"
#include "services/trust/endpoint_table.h"
#include "services/trust/whitelist.h"

namespace radix {

// Tells this node's reeve of an endpoint, and follows which keys it is to let in. As long as reeve
// was never heard these are none; while it is away they stay. Thread-safe.
class Guard {
 public:
  // Says whose key that is; nullopt, if it is not let in. May be kept for longer than this object;
  // then it is as if there were no reeve.
  using FindCaller = std::function<std::optional<trust::Caller>(const KeyId&)>;
  // Called when somebody may not call any more, on gRPC's threads; must not block.
  using OnLoss = std::function<void(trust::Whitelist::Loss, const FindCaller&)>;

  // Called when somebody wants the endpoint to take another key, likewise.
  using OnRoll = std::function<void()>;

  Guard(const confab::Node& node, trust::GuardedEndpoint served, OnLoss on_loss, OnRoll on_roll);

  // The keys that the endpoint shows, or is about to show, each with its certificate.
  void SetKeys(const std::vector<const confab::TlsKey*>& keys);

  FindCaller find_caller() const;

 private:
  using Stream = ClientBidi<trust::v1::GuardRequest, trust::v1::GuardResponse>;
  struct Admitted {
    std::mutex mutex;
    trust::Whitelist whitelist;
  };

  trust::v1::GuardRequest Introduction();
  void HandleBegin(Stream& stream);
  void HandleMessage(const trust::v1::GuardResponse& response);
  void HandleEnd(const grpc::Status& status);

  const OnLoss on_loss_;
  const OnRoll on_roll_;
  std::mutex mutex_;
  trust::GuardedEndpoint served_;
  std::string last_refusal_;  // of reeve; said once
  const std::shared_ptr<Admitted> admitted_ = std::make_shared<Admitted>();
  LastingCall<Stream, trust::v1::GuardResponse> call_;  // last: its thread uses the others
};

}  // namespace radix
