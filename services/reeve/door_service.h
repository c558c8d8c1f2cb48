// The gRPC face of doors, which reeve serves to picket.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "radix/trust/v1/door.grpc.pb.h"
#include "services/reeve/doors_driver.h"
#include "services/registry/pulled_stream.h"

namespace radix::reeve {

// Thread-safe. Must outlive the server that it is registered with.
class DoorServiceImpl final : public trust::v1::DoorService::CallbackService {
 public:
  // `doors` must outlive this.
  explicit DoorServiceImpl(Doors& doors);
  ~DoorServiceImpl() override;

  grpc::ServerBidiReactor<trust::v1::HoldDoorsRequest, trust::v1::HoldDoorsResponse>* HoldDoors(
      grpc::CallbackServerContext* context) override;

  // Ends all streams, and all that would come later.
  void EndStreams();

 private:
  using Stream = registry::PulledBidi<trust::v1::HoldDoorsRequest, trust::v1::HoldDoorsResponse>;
  static constexpr std::size_t kStreamsMax = 16;  // all but one are about to end

  absl::Status HandleSet(const std::shared_ptr<Stream>& stream,
                         const trust::v1::HoldDoorsRequest& request);
  bool NextFor(const Stream* stream, trust::v1::HoldDoorsResponse& response);
  void HandleDone(const std::shared_ptr<Stream>& stream);
  void Wake();

  Doors& doors_;
  std::mutex mutex_;
  std::shared_ptr<Stream> holder_;   // whose sets count
  bool heard_ = false;               // of one of its sets
  std::int64_t number_ = 0;          // of the last of these
  std::uint64_t told_revision_ = 0;  // what it was told last
  registry::StreamSet<Stream> streams_{kStreamsMax};
};

}  // namespace radix::reeve
