#include "services/flock/persist_driver.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/flock/state_driver.h"

namespace radix::flock {

PersistDriver::PersistDriver(std::filesystem::path state, AddressRanges ranges,
                             std::function<void(const Promise&)> on_stored)
    : state_(std::move(state)),
      ranges_(std::move(ranges)),
      on_stored_(std::move(on_stored)),
      random_(confab::RandomNumber()),
      backoff_(100ms, 5s),
      timer_([this](Instant now) { return Tick(now); }) {}

void PersistDriver::StorePromise(const Promise& promise) {
  const std::lock_guard lock(mutex_);
  promise_ = promise;
  timer_.Wake();
}

void PersistDriver::StorePeers(std::vector<IpAddress> peers) {
  const std::lock_guard lock(mutex_);
  peers_ = std::move(peers);
  timer_.Wake();
}

Instant PersistDriver::Tick(Instant now) {
  std::optional<Promise> promise;
  std::optional<std::vector<IpAddress>> peers;
  {
    const std::lock_guard lock(mutex_);
    promise = promise_;
    peers = std::exchange(peers_, std::nullopt);
  }
  if (promise && now >= retry_at_) TryPromise(*promise);
  if (peers) {
    const auto stored = flock::StorePeers(state_, *peers);
    if (!stored.ok()) spdlog::warn("peers not stored: {}", std::string(stored.message()));
  }
  const std::lock_guard lock(mutex_);
  return promise_ ? retry_at_ : Instant::max();
}

void PersistDriver::TryPromise(const Promise& promise) {
  const auto stored = flock::StorePromise(state_, {.epoch = promise.epoch,
                                                   .holder = ranges_.At(promise.holder.slot),
                                                   .boot = promise.holder.boot});
  if (!stored.ok()) {
    retry_at_ = confab::Now() + backoff_.Next(random_);
    spdlog::error("the promise of epoch {} is not on disk, so this node grants no lease: {}",
                  promise.epoch, std::string(stored.message()));
    return;
  }
  backoff_.Reset();
  retry_at_ = Instant{};
  {
    const std::lock_guard lock(mutex_);
    if (promise_ == promise) promise_.reset();
  }
  on_stored_(promise);
}

}  // namespace radix::flock
