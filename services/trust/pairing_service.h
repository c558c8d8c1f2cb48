// The gRPC face of applications' keys, which reeve serves.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "radix/trust/v1/pairing.grpc.pb.h"
#include "services/confab/node.h"
#include "services/confab/timer_thread.h"
#include "services/registry/pulled_stream.h"
#include "services/trust/announce_links_driver.h"
#include "services/trust/endpoint_table.h"
#include "services/trust/node_keys.h"
#include "services/trust/pair_table.h"

namespace radix::trust {

// Carries what two tables say: of the endpoints on this node, and of the callers. Between nodes it
// goes straight from reeve to reeve, not through the steward: so a caller whose server has died
// with the leader need not wait for the next one.
//
// Thread-safe. Must outlive the server that it is registered with.
class PairingServiceImpl final : public v1::PairingService::CallbackService {
 public:
  // `reeve_port` is the TCP port of every node's reeve; `own` is the fingerprint of this node's
  // key.
  PairingServiceImpl(const confab::Node& node, std::uint16_t reeve_port, std::uint64_t own);
  ~PairingServiceImpl() override;

  grpc::ServerBidiReactor<v1::GuardRequest, v1::GuardResponse>* Guard(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::IntroduceRequest, v1::IntroduceResponse>* Introduce(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::AnnounceRequest, v1::AnnounceResponse>* Announce(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* RollKeys(grpc::CallbackServerContext* context,
                                     const v1::RollKeysRequest* request,
                                     v1::RollKeysResponse* response) override;
  grpc::ServerUnaryReactor* ListKeys(grpc::CallbackServerContext* context,
                                     const v1::ListKeysRequest* request,
                                     v1::ListKeysResponse* response) override;

  // As those, for callers who may come if `admitted` is OK, and of whom `check` says what they may
  // say: what it refuses ends the stream. It is called on gRPC's threads, and may be empty.
  template <typename Request>
  using Check = std::function<absl::Status(const Request&)>;
  grpc::ServerBidiReactor<v1::GuardRequest, v1::GuardResponse>* GuardIf(
      grpc::CallbackServerContext* context, const absl::Status& admitted,
      Check<v1::GuardRequest> check);
  grpc::ServerBidiReactor<v1::IntroduceRequest, v1::IntroduceResponse>* IntroduceIf(
      grpc::CallbackServerContext* context, const absl::Status& admitted,
      Check<v1::IntroduceRequest> check);

  // Who lives, and who is known to be dead, each with a fingerprint.
  void SetNodes(std::vector<NodeKey> living, const std::vector<NodeKey>& dead = {});
  void SetRules(std::shared_ptr<const Rules> rules);
  void SetHordes(registry::Hordes hordes);
  void SetRevoked(const Revoked& revoked);
  // Whether this node has been without a leader for too long: see contact.h.
  void SetCutOff(bool cut_off);

  // Whether what runs on this node may be of that party's horde. PermissionDenied, naming it.
  absl::Status MayBeOf(const Party& who);

  // Called when somebody wants this node to take other keys; set before the server starts.
  void OnRoll(std::function<void()> roll) { on_roll_ = std::move(roll); }

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using GuardStream = registry::PulledBidi<v1::GuardRequest, v1::GuardResponse>;
  using IntroduceStream = registry::PulledBidi<v1::IntroduceRequest, v1::IntroduceResponse>;
  using AnnounceStream = registry::PulledBidi<v1::AnnounceRequest, v1::AnnounceResponse>;
  using StreamId = std::uint64_t;

  // A stream of an endpoint's process.
  struct OpenGuard {
    std::shared_ptr<GuardStream> stream;
    std::uint64_t revoked_revision = 0;  // of what it was told
    bool roll = false;                   // it is to be told that
  };
  // That of a caller.
  struct OpenCaller {
    std::shared_ptr<IntroduceStream> stream;
    bool roll = false;
  };
  // That of another node's reeve.
  struct OpenOrigin {
    StreamId id = 0;
    std::shared_ptr<AnnounceStream> stream;
    std::set<KeyId> named;  // on this stream
  };

  absl::StatusOr<std::uint64_t> OriginOf(const grpc::CallbackServerContext& context) const;
  absl::Status HandleGuard(StreamId id, const v1::GuardRequest& request);
  absl::Status HandleIntroduce(StreamId id, const v1::IntroduceRequest& request);
  absl::Status HandleAnnounce(std::uint64_t origin, StreamId id,
                              const v1::AnnounceRequest& request);
  bool NextForGuard(StreamId id, v1::GuardResponse& response);
  bool NextForCaller(StreamId id, v1::IntroduceResponse& response);
  bool NextForOrigin(std::uint64_t origin, StreamId id, v1::AnnounceResponse& response);
  void EndRefused(const std::function<std::vector<StreamId>()>& refuse);
  void HandleGuardDone(StreamId id);
  void HandleCallerDone(StreamId id);
  void HandleOriginDone(std::uint64_t origin, StreamId id);
  AnnounceLinks::Handlers LinkHandlers();
  void JudgePairs();
  void Spread();
  void SpreadOwn();
  Instant Tick(Instant now);

  const confab::Node node_;
  const std::uint64_t own_;
  std::function<void()> on_roll_;
  std::mutex mutex_;
  PairTable pairs_;
  EndpointTable endpoints_;
  bool ending_ = false;
  std::optional<Revoked> revoked_;  // nullopt: nobody has said
  std::uint64_t revoked_revision_ = 1;
  std::map<IpAddress, std::uint64_t> fingerprints_;  // whose an address was last
  StreamId last_stream_ = 0;
  std::map<StreamId, OpenGuard> guards_;
  std::map<StreamId, OpenCaller> callers_;
  std::map<std::uint64_t, OpenOrigin> origins_;
  registry::StreamSet<GuardStream> guard_streams_;
  registry::StreamSet<IntroduceStream> caller_streams_;
  registry::StreamSet<AnnounceStream> origin_streams_;
  // These have threads that use the above.
  AnnounceLinks links_;
  confab::TimerThread timer_;
};

}  // namespace radix::trust
