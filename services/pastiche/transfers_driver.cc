#include "services/pastiche/transfers_driver.h"

#include <malloc.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"

namespace radix::pastiche {

Transfer::~Transfer() {
  const std::lock_guard lock(transfers_.mutex_);
  transfers_.running_.erase(self_);
}

void Transfer::BeginWait() {
  const std::lock_guard lock(transfers_.mutex_);
  waiting_ = true;
  since_ = confab::Now();
}

void Transfer::EndWait() {
  const std::lock_guard lock(transfers_.mutex_);
  waiting_ = false;
}

Transfers::Transfers(const TransferOptions& options)
    : options_(options), timer_([this](Instant now) { return Tick(now); }) {}

absl::StatusOr<std::unique_ptr<Transfer>> Transfers::Begin(std::function<void()> on_stall) {
  const std::lock_guard lock(mutex_);
  if (running_.size() >= options_.transfers_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node has ", options_.transfers_max, " transfers already; try again"));
  }
  std::unique_ptr<Transfer> transfer(new Transfer(*this));
  transfer->on_stall_ = std::move(on_stall);
  busy_ = true;
  transfer->self_ = running_.insert(running_.end(), transfer.get());
  return transfer;
}

Instant Transfers::Tick(Instant now) {
  std::vector<std::function<void()>> stalled;
  bool went_idle = false;
  {
    const std::lock_guard lock(mutex_);
    went_idle = std::exchange(busy_, !running_.empty()) && running_.empty();
    for (const Transfer* transfer : running_) {
      if (!transfer->waiting_ || now - transfer->since_ <= options_.stall_limit) continue;
      stalled.push_back(transfer->on_stall_);
    }
  }
  // Not under the lock: what it cancels may end its transfer at once.
  for (const auto& on_stall : stalled) on_stall();
  // The chunks' memory, which the allocator would keep: most nodes move files seldom.
  if (went_idle) malloc_trim(0);
  return now + std::min<Duration>(options_.stall_limit, 1s);
}

}  // namespace radix::pastiche
