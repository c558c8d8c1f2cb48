// Counts a server's calls in flight, so that a drain can wait until its clients have left.

#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "services/confab/time.h"

namespace radix::confab {

// How many calls are in flight. Thread-safe.
class CallCounter {
 public:
  void Begin();
  void End();

  // Waits until for `quiet` no call was in flight, for at most `limit`. True when it was quiet.
  bool AwaitQuiet(Duration quiet, Duration limit);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  std::size_t begun_ = 0;
};

// Has `counter` count the calls of a server, except those to gRPC's own services.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallCountingFactory(
    std::shared_ptr<CallCounter> counter);

}  // namespace radix::confab
