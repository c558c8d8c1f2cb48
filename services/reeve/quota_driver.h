// How much of what all plugins share one of them may use at once.

#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

namespace radix::reeve {

// Thread-safe.
class Quota {
 public:
  // At most `most` at once.
  explicit Quota(std::size_t most) : used_(std::make_shared<Used>(most)) {}

  // One of them, for as long as what is returned lives; nullptr when all are taken.
  std::shared_ptr<void> Take() {
    const std::lock_guard lock(used_->mutex);
    if (used_->count >= used_->most) return nullptr;
    ++used_->count;
    return {static_cast<void*>(used_.get()), [used = used_](void*) {
              const std::lock_guard back(used->mutex);
              --used->count;
            }};
  }

 private:
  struct Used {
    explicit Used(std::size_t at_most) : most(at_most) {}
    const std::size_t most;
    std::mutex mutex;
    std::size_t count = 0;
  };

  const std::shared_ptr<Used> used_;
};

}  // namespace radix::reeve
