// The supervisor's end of the link to one service.

#pragma once

#include <cstddef>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "services/confab/descriptor.h"

namespace radix::fulcrum {

// Never waits: what the service does not read yet is queued. Not thread-safe.
class Link {
 public:
  // The most messages that wait.
  static constexpr std::size_t kQueueMax = 4096;

  // A new link and the service's end of it. ResourceExhausted when there are no descriptors left.
  static absl::StatusOr<std::pair<Link, confab::Descriptor>> Make();

  int fd() const { return fd_.get(); }

  // Queues a message and sends what can be sent. False when kQueueMax wait already: the service
  // does not read.
  bool Send(const nlohmann::json& message);

  // Whether something waits to be sent; then call Flush once the link is writable.
  bool has_queued() const { return !queue_.empty(); }
  void Flush();

  // Counts a message that made no sense. True when there were too many.
  bool CountBad() { return ++bad_ >= kBadMax; }

 private:
  static constexpr int kBadMax = 100;

  explicit Link(confab::Descriptor fd) : fd_(std::move(fd)) {}

  confab::Descriptor fd_;
  std::deque<std::string> queue_;
  int bad_ = 0;
};

}  // namespace radix::fulcrum
