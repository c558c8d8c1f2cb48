// picket's gRPC face.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "radix/picket/v1/picket.grpc.pb.h"
#include "services/confab/server_stream.h"
#include "services/picket/plugins_driver.h"

namespace radix::picket {

// Thread-safe. Must outlive the server that hosts it.
class PicketService final : public v1::PicketService::CallbackService {
 public:
  // `plugins` must outlive it.
  explicit PicketService(Plugins& plugins) : plugins_(plugins) {}

  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context,
                                  const v1::StartRequest* request,
                                  v1::StartResponse* response) override;
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext* context,
                                 const v1::StopRequest* request,
                                 v1::StopResponse* response) override;
  grpc::ServerUnaryReactor* ListPlugins(grpc::CallbackServerContext* context,
                                        const v1::ListPluginsRequest* request,
                                        v1::ListPluginsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchPluginsResponse>* WatchPlugins(
      grpc::CallbackServerContext* context, const v1::WatchPluginsRequest* request) override;

  // Ends every watch, and has later ones refused: they would not end by themselves.
  void EndWatches();

 private:
  using Stream = confab::ServerStream<v1::WatchPluginsResponse>;

  Plugins& plugins_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::weak_ptr<Stream>> streams_;
  std::uint64_t next_stream_ = 0;
  bool ended_ = false;
};

}  // namespace radix::picket
