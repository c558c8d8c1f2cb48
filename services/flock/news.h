// What this node should tell others unasked: who has news, and how often it was told.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace radix::flock {

// The members with news, by slot; what the news is stands in the member table and the suspicions at
// the time of telling, so that nobody is ever told something outdated. Each is told about
// 2 * log2(n) times, less each time that it is heard from another meanwhile, or that another shows
// the same view: then many know it. That is about log2(n) times, and reaches everybody with high
// probability; the rest is anti-entropy's, which takes seconds. Who joined is told of a quarter as
// often, but three times: nobody waits for that, and many join at once, when anti-entropy goes on
// anyway. Not thread-safe.
//
// Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987
// (rumours with feedback and a counter).
class News {
 public:
  // No more than this many members at a time: beyond that, anti-entropy is the better way.
  static constexpr std::size_t kMax = 4096;

  // Who has the same view, as its hash says, knows who lives, under which incarnation; so it knows
  // who joined and who refuted. The view says nothing of suspicions.
  enum class Kind : std::uint8_t { kJoin, kRefutation, kSuspicion };

  // `slot` has news, in a bloc of `live` members; told afresh from the beginning.
  void Add(std::uint32_t slot, std::uint32_t live, Kind kind);
  // Somebody told us all that we would tell of `slot`.
  void HeardAgain(std::uint32_t slot);
  // Somebody has the same view.
  void HeardSameView() { ++same_views_; }
  void Remove(std::uint32_t slot);

  bool empty() const { return left_.empty(); }
  std::size_t size() const { return left_.size(); }

  std::size_t memory_bytes() const { return left_.capacity() * sizeof(Entry); }

  // Calls `visit(slot)` for the next `count` that Take may tell.
  template <typename Visit>
  void Peek(std::size_t count, const Visit& visit) const {
    const std::size_t from = Place(cursor_);
    for (std::size_t i = 0; i < std::min(count, left_.size()); ++i) {
      visit(left_[(from + i) % left_.size()].slot);
    }
  }

  // What became of a piece of news: who was to hear it needs no telling, or it found no room.
  enum class Telling : std::uint8_t { kTold, kNeedless, kNoRoom };

  // Calls `tell(slot)` for those with news in turn, each at most once, until there is no room.
  // Those told often enough drop out.
  template <typename Tell>
  void Take(const Tell& tell) {
    std::size_t at = Place(cursor_);
    for (std::size_t i = left_.size(); i > 0; --i) {
      if (at == left_.size()) at = 0;
      Entry& entry = left_[at];
      if (!IsKnown(entry)) {
        const Telling telling = tell(entry.slot);
        if (telling == Telling::kNoRoom) return;
        cursor_ = entry.slot + 1;
        if (telling == Telling::kTold) --entry.tellings;
      }
      if (!IsKnown(entry)) {
        ++at;
      } else {
        left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
  }

 private:
  struct Entry {
    std::uint32_t slot = 0;
    std::uint32_t tellings = 0;  // that are left, without those that same views make up for
    std::uint32_t since = 0;     // the same views until then do not count
    Kind kind = Kind::kJoin;
  };

  // Whether it was told often enough.
  bool IsKnown(const Entry& entry) const {
    const bool in_view = entry.kind != Kind::kSuspicion;
    return entry.tellings <= (in_view ? same_views_ - entry.since : 0);
  }

  // Where that of `slot` is, or would be.
  std::size_t Place(std::uint32_t slot) const;

  std::vector<Entry> left_;  // by slot
  std::uint32_t cursor_ = 0;
  std::uint32_t same_views_ = 0;  // goes round; a piece of news does not last so long
};

}  // namespace radix::flock
