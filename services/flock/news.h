// What this node should tell others unasked: who has news, and how often it was told.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace radix::flock {

// The members with news, by slot; what the news is stands in the member table and the suspicions at
// the time of telling, so that nobody is ever told something outdated. Each is told about
// 2 * log2(n) times, which reaches everybody with high probability; the rest is anti-entropy's. Not
// thread-safe.
class News {
 public:
  // No more than this many members at a time: beyond that, anti-entropy is the better way.
  static constexpr std::size_t kMax = 1024;

  // `slot` has news, in a bloc of `live` members; told afresh from the beginning.
  void Add(std::uint32_t slot, std::uint32_t live);
  void Remove(std::uint32_t slot);

  bool empty() const { return left_.empty(); }
  std::size_t size() const { return left_.size(); }

  std::size_t memory_bytes() const { return left_.capacity() * sizeof(Entry); }

  // Calls `tell(slot)` for up to `count` members in turn. Those told often enough drop out.
  template <typename Tell>
  void Take(std::size_t count, const Tell& tell) {
    std::size_t at = Place(cursor_);
    for (std::size_t i = left_.size() < count ? left_.size() : count; i > 0; --i) {
      if (at == left_.size()) at = 0;
      Entry& entry = left_[at];
      tell(entry.slot);
      cursor_ = entry.slot + 1;
      if (--entry.tellings > 0) {
        ++at;
      } else {
        left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
  }

 private:
  struct Entry {
    std::uint32_t slot = 0;
    std::uint32_t tellings = 0;  // that are left
  };

  // Where that of `slot` is, or would be.
  std::size_t Place(std::uint32_t slot) const;

  std::vector<Entry> left_;  // by slot
  std::uint32_t cursor_ = 0;
};

}  // namespace radix::flock
