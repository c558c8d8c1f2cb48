// Orders about the secondary key, as rpcs.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <vector>

#include "radix/flock/v1/flock.pb.h"
#include "services/flock/flock_driver.h"

namespace radix::flock {

// Thread-safe. Must outlive the calls, which end at the latest after KeyOrders::kGiveUp, and when
// the driver ends.
class KeyService {
 public:
  // `driver` must outlive it.
  explicit KeyService(FlockDriver& driver) : driver_(driver) {}

  // Answers the call behind `reactor`, later.
  void GetKeys(v1::GetKeysResponse* response, grpc::ServerUnaryReactor* reactor);
  void Rotate(const v1::RotateSecondaryKeyRequest& request,
              v1::RotateSecondaryKeyResponse* response, grpc::ServerUnaryReactor* reactor);

 private:
  struct Look {
    v1::GetKeysResponse* response;
    grpc::ServerUnaryReactor* reactor;
    std::vector<std::uint32_t> missing;
  };

  void Ask(Look look, std::uint32_t first_slot);

  FlockDriver& driver_;
};

}  // namespace radix::flock
