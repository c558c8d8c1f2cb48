#include "services/proctor/orders_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"
#include "services/confab/dial.h"
#include "services/confab/entropy.h"
#include "services/proctor/proctor_codec.h"

namespace radix::proctor {
namespace {

constexpr auto kCallLimit = std::chrono::seconds(60);  // picket may have to fetch the file

// One call; lives until its callback returned.
template <typename Request, typename Response>
struct PicketCall {
  std::shared_ptr<picket::v1::PicketService::Stub> stub;
  grpc::ClientContext context;
  Request request;
  Response response;
};

template <typename Call>
std::shared_ptr<Call> NewCall(std::shared_ptr<picket::v1::PicketService::Stub> stub) {
  auto call = std::make_shared<Call>();
  call->stub = std::move(stub);
  call->context.set_deadline(confab::WallDeadline(kCallLimit));
  return call;
}

}  // namespace

Orders::Orders(const confab::Node& node, OnDone on_done)
    : node_(node), on_done_(std::move(on_done)), random_(confab::RandomNumber()) {}

Instant Orders::Issue(const std::vector<Order>& orders,
                      const std::function<std::int64_t(const Order&)>& epoch_of, Instant now) {
  std::set<std::string> wanted;
  Instant next = Instant::max();
  for (const Order& order : orders) {
    wanted.insert(order.spec.id);
    Attempt& attempt = attempts_[order.spec.id];
    if (attempt.under_way) continue;
    if (now < attempt.again_at) {
      next = std::min(next, attempt.again_at);
      continue;
    }
    attempt.under_way = true;
    Send(order, epoch_of(order));
  }
  std::erase_if(attempts_, [&](const auto& entry) {
    return !entry.second.under_way && wanted.count(entry.first) == 0;
  });
  return next;
}

void Orders::Send(const Order& order, std::int64_t epoch) {
  if (stub_ == nullptr) {
    stub_ = picket::v1::PicketService::NewStub(confab::DialLocal(node_, "picket"));
  }
  if (order.kind == Order::Kind::kStart) {
    spdlog::info("starting {} ({})", order.spec.id, order.spec.inst);
    auto call = NewCall<PicketCall<picket::v1::StartRequest, picket::v1::StartResponse>>(stub_);
    call->request.set_epoch(epoch);
    *call->request.mutable_spec() = ToWire(order.spec);
    stub_->async()->Start(&call->context, &call->request, &call->response,
                          [call, order, done = on_done_](const grpc::Status& status) {
                            done({order, status, call->response.plugin()});
                          });
  } else {
    spdlog::info("stopping {} ({})", order.spec.id, order.spec.inst);
    auto call = NewCall<PicketCall<picket::v1::StopRequest, picket::v1::StopResponse>>(stub_);
    call->request.set_epoch(epoch);
    call->request.set_id(order.spec.id);
    stub_->async()->Stop(&call->context, &call->request, &call->response,
                         [call, order, done = on_done_](const grpc::Status& status) {
                           done({order, status, {}});
                         });
  }
}

void Orders::Take(const Outcome& outcome, Instant now) {
  const auto found = attempts_.find(outcome.order.spec.id);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  attempt.under_way = false;
  if (outcome.status.ok()) {
    attempts_.erase(found);
    return;
  }
  attempt.again_at = now + attempt.backoff.Next(random_);
  attempt.error = absl::StrCat(outcome.order.spec.id, ": ",
                               outcome.order.kind == Order::Kind::kStart ? "start" : "stop",
                               " failed: ", outcome.status.error_message());
  spdlog::warn("{}", attempt.error);
  // A broken connection is replaced, not waited for.
  if (outcome.status.error_code() == grpc::StatusCode::UNAVAILABLE) stub_ = nullptr;
}

std::vector<std::string> Orders::Errors() const {
  std::vector<std::string> errors;
  for (const auto& [id, attempt] : attempts_) {
    if (!attempt.error.empty()) errors.push_back(attempt.error);
  }
  return errors;
}

}  // namespace radix::proctor
