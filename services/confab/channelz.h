// What gRPC itself knows of a server's connections: it counts their streams, and keeps what their
// peers showed, for a protocol of its own (channelz), which here is asked within the process.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/confab/flood_guard.h"

namespace radix::confab {

// See Transports.
class Channelz final : public Transports {
 public:
  // Starts a server and finds out what gRPC calls it, which it does not say. Null when it cannot be
  // started.
  static std::pair<std::unique_ptr<grpc::Server>, std::unique_ptr<Channelz>> Start(
      grpc::ServerBuilder& builder);

  std::vector<LetIn> TakeLetIn() override;
  bool Count(std::int64_t handle, Traffic& traffic) override;

 private:
  explicit Channelz(std::int64_t server) : server_(server) {}

  const std::int64_t server_;
  std::int64_t next_ = 0;  // all before were taken
};

}  // namespace radix::confab
