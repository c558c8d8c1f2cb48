// Carries dean's orders to picket: each once at a time, again with back-off when it failed.

#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "radix/picket/v1/picket.grpc.pb.h"
#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/proctor/conform.h"

namespace radix::proctor {

// Not thread-safe: the owner's lock guards it. `on_done` is called on one of gRPC's threads when a
// call to picket ended; the owner then hands its argument to Take, under its lock.
class Orders {
 public:
  // One call to picket that ended.
  struct Outcome {
    Order order;
    grpc::Status status;
    picket::v1::Plugin plugin;  // of a start that worked
  };
  using OnDone = std::function<void(const Outcome&)>;

  Orders(const confab::Node& node, OnDone on_done);

  // Issues those of `orders` that are not under way and whose back-off is over. `epoch_of` says
  // under which epoch an order is given. Forgets the failures of orders that are no longer wanted.
  // Returns when to come again.
  Instant Issue(const std::vector<Order>& orders,
                const std::function<std::int64_t(const Order&)>& epoch_of, Instant now);

  void Take(const Outcome& outcome, Instant now);

  // What failed, one line for each id, beginning with it.
  std::vector<std::string> Errors() const;

 private:
  struct Attempt {
    bool under_way = false;
    Instant again_at;
    Backoff backoff{200ms, 10s};
    std::string error;
  };

  void Send(const Order& order, std::int64_t epoch);

  const confab::Node node_;
  const OnDone on_done_;
  std::shared_ptr<picket::v1::PicketService::Stub> stub_;
  Random random_;
  std::map<std::string, Attempt> attempts_;  // by plugin id
};

}  // namespace radix::proctor
