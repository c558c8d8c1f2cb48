// What happens next in a simulation: events by time, and among equals by when they were added.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "services/confab/time.h"

namespace radix::sim {

enum class StepKind : std::uint8_t { kDatagram, kWake, kPersisted, kKeysStored, kReplay, kServed };

// One event. `payload` is a place in the pool of datagrams, or a generation.
struct Step {
  Instant at;
  std::uint64_t order = 0;
  std::uint64_t id = 0;  // of the datagram; copies share it
  std::uint32_t node = 0;
  std::uint32_t from = 0;  // the sender's slot
  std::uint32_t payload = 0;
  StepKind kind = StepKind::kWake;
};

// A binary heap. Not thread-safe.
class EventQueue {
 public:
  void Push(Step step) {
    step.order = ++order_;
    heap_.push_back(step);
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  Step Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const Step step = heap_.back();
    heap_.pop_back();
    return step;
  }
  bool empty() const { return heap_.empty(); }
  Instant next() const { return heap_.front().at; }

 private:
  static bool Later(const Step& a, const Step& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  std::vector<Step> heap_;
  std::uint64_t order_ = 0;
};

// Datagrams under way, in buffers that are used again.
class DatagramPool {
 public:
  std::uint32_t Put(std::span<const std::uint8_t> bytes) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(buffers_.size()));
      buffers_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    buffers_[place].assign(bytes.begin(), bytes.end());
    return place;
  }
  std::vector<std::uint8_t>& At(std::uint32_t place) { return buffers_[place]; }
  void Free(std::uint32_t place) { free_.push_back(place); }

 private:
  std::vector<std::vector<std::uint8_t>> buffers_;
  std::vector<std::uint32_t> free_;
};

}  // namespace radix::sim
