#include "services/flock/persist_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/charter_file.h"
#include "services/confab/clock.h"
#include "services/confab/entropy.h"
#include "services/flock/state_driver.h"

namespace radix::flock {

PersistDriver::PersistDriver(PersistPlaces places, AddressRanges ranges, Handlers handlers)
    : places_(std::move(places)),
      ranges_(std::move(ranges)),
      handlers_(std::move(handlers)),
      random_(confab::RandomNumber()),
      timer_([this](Instant now) { return Tick(now); }) {}

void PersistDriver::StorePromise(const Promise& promise) {
  const std::lock_guard lock(mutex_);
  promise_ = promise;
  promise_refused_ = false;
  timer_.Wake();
}

void PersistDriver::StoreKeyFile(const KeyFile& file) {
  const std::lock_guard lock(mutex_);
  key_file_ = file;
  timer_.Wake();
}

void PersistDriver::StoreRevoked(std::vector<std::uint64_t> fingerprints) {
  const std::lock_guard lock(mutex_);
  revoked_ = std::move(fingerprints);
  timer_.Wake();
}

void PersistDriver::StorePeers(std::vector<IpAddress> peers) {
  const std::lock_guard lock(mutex_);
  peers_ = std::move(peers);
  timer_.Wake();
}

Instant PersistDriver::Tick(Instant now) {
  std::optional<Promise> promise;
  std::optional<KeyFile> key_file;
  std::optional<std::vector<std::uint64_t>> revoked;
  std::optional<std::vector<IpAddress>> peers;
  bool at_once = false;
  {
    const std::lock_guard lock(mutex_);
    promise = promise_;
    at_once = !promise_refused_;
    key_file = key_file_;
    revoked = revoked_;
    peers = std::exchange(peers_, std::nullopt);
  }
  if (promise && (at_once || now >= promise_retry_.at)) TryPromise(*promise);
  if (key_file && now >= key_file_retry_.at) TryKeyFile(*key_file);
  if (revoked && now >= revoked_retry_.at) TryRevoked(*revoked);
  if (peers) {
    const auto stored = flock::StorePeers(places_.state, *peers);
    if (!stored.ok()) spdlog::warn("peers not stored: {}", std::string(stored.message()));
  }
  const std::lock_guard lock(mutex_);
  return std::min({promise_ ? promise_retry_.at : Instant::max(),
                   key_file_ ? key_file_retry_.at : Instant::max(),
                   revoked_ ? revoked_retry_.at : Instant::max()});
}

bool PersistDriver::Note(const absl::Status& stored, Retry& retry, const std::string& otherwise) {
  if (stored.ok()) {
    retry = {};
    return true;
  }
  retry.at = confab::Now() + retry.backoff.Next(random_);
  spdlog::error("{}: {}", otherwise, std::string(stored.message()));
  return false;
}

void PersistDriver::TryPromise(const Promise& promise) {
  const auto stored = flock::StorePromise(places_.state, {.epoch = promise.epoch,
                                                          .holder = ranges_.At(promise.holder.slot),
                                                          .boot = promise.holder.boot});
  if (!Note(stored, promise_retry_,
            absl::StrCat("the promise of epoch ", promise.epoch,
                         " is not on disk: this node goes on without"))) {
    {
      const std::lock_guard lock(mutex_);
      if (promise_ != promise || std::exchange(promise_refused_, true)) return;
    }
    handlers_.on_promise_refused(promise);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (promise_ == promise) promise_.reset();
  }
  handlers_.on_promise(promise);
}

void PersistDriver::TryKeyFile(const KeyFile& file) {
  const auto stored = confab::ReplaceKeyFile(places_.key_file, file.keys, places_.node);
  if (!Note(stored, key_file_retry_,
            "the key file is not up to date, so this node acknowledges no rotation of the "
            "secondary key")) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (key_file_ && key_file_->version == file.version) key_file_.reset();
  }
  handlers_.on_key_file(file.version);
}

void PersistDriver::TryRevoked(const std::vector<std::uint64_t>& fingerprints) {
  const auto stored = flock::StoreRevoked(places_.state, fingerprints);
  if (!Note(stored, revoked_retry_,
            "which nodes were revoked is not on disk: started again, flock learns it only from "
            "this node's dean")) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (revoked_ == fingerprints) revoked_.reset();
}

}  // namespace radix::flock
