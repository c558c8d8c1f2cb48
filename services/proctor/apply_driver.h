// One call of Apply at work: its files, then its place among the group's decisions.

#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>

#include "services/confab/backoff.h"
#include "services/confab/node.h"
#include "services/confab/time.h"
#include "services/proctor/proctor_driver.h"

namespace radix::proctor {

// Has the files of a manifest pulled to this node, then the manifest kept. A caller who goes away
// while the files come has given it up: it is not kept later, in the place of what was applied
// since. A file that nobody has may be on a node that has just started, and that this one does not
// know yet; so it is asked for again for some seconds before the manifest is refused. Thread-safe.
class ApplyCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<ApplyCall> {
 public:
  // `request` and `response` are gRPC's, of the call that the returned reactor serves. `deadline`
  // bounds all of it.
  static grpc::ServerUnaryReactor* Begin(confab::Node node, std::shared_ptr<ProctorDriver> driver,
                                         Instant deadline, const v1::ApplyRequest* request,
                                         v1::ApplyResponse* response);

  // For Begin.
  ApplyCall(confab::Node node, std::shared_ptr<ProctorDriver> driver, Instant deadline,
            const v1::ApplyRequest& request, v1::ApplyResponse* response);

 private:
  void OnCancel() override;
  void OnDone() override;

  void Pull();
  void Take(const absl::Status& pulled);
  void Make();
  void End(const absl::Status& status, const std::function<void(v1::ApplyResponse&)>& fill);

  const confab::Node node_;
  const std::shared_ptr<ProctorDriver> driver_;
  const Instant deadline_;
  const Instant missing_until_;
  const v1::Manifest manifest_;
  std::mutex mutex_;
  bool over_ = false;
  v1::ApplyResponse* const response_;  // until over_
  Random random_;
  Backoff backoff_{200ms, 1s};
  std::unique_ptr<grpc::Alarm> alarm_;
  std::shared_ptr<ApplyCall> self_;  // until gRPC is done with it
};

}  // namespace radix::proctor
