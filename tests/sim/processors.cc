#include "tests/sim/processors.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace radix::sim {
namespace {

// Measured on a server of 2023, rounded.
constexpr Duration kReceives = 10us;
constexpr Duration kSends = 10us;  // the kernel carries it to the other socket in the same call
constexpr Duration kTimer = 5us;
constexpr Duration kWakes = 5us;  // another process
constexpr Duration kVerifies = 60us;
constexpr Duration kExchanges = 50us;  // keys, by a HELLO that is answered or a WELCOME
constexpr Duration kSlice = 3ms;
// Time gets its turn after so many datagrams, as in flock_driver.cc.
constexpr std::size_t kDatagramsFirst = 128;

// What Linux counts for a datagram: a block of a power of two, and what describes it.
std::size_t SizeInBuffer(std::size_t bytes) { return 256 + std::bit_ceil(bytes + 430); }

}  // namespace

Processors::Processors(const ProcessorOptions& options, std::size_t nodes)
    : options_(options), nodes_(options.count > 0 ? nodes : 0), free_(options.count) {}

bool Processors::Add(const Step& work, std::size_t bytes) {
  Node& node = nodes_[work.node];
  const std::size_t size = bytes > 0 ? SizeInBuffer(bytes) : 0;
  if (size > 0 && node.buffered + size > options_.buffer_bytes) {
    ++lost_;
    return false;
  }
  const std::size_t ahead =
      size > 0 ? node.work.size() : std::min(node.work.size(), kDatagramsFirst);
  node.work.insert(node.work.begin() + static_cast<std::ptrdiff_t>(ahead), {work, size});
  node.buffered += size;
  if (!node.waits && !node.runs) {
    node.waits = true;
    line_.push_back(work.node);
  }
  return true;
}

std::optional<std::uint32_t> Processors::Begin() {
  if (free_ == 0 || line_.empty()) return std::nullopt;
  const std::uint32_t node = line_.front();
  line_.pop_front();
  --free_;
  nodes_[node].waits = false;
  nodes_[node].runs = true;
  nodes_[node].slice = 0ns;
  return node;
}

Step Processors::Take(std::uint32_t at, Instant now) {
  Node& node = nodes_[at];
  const auto [work, size] = node.work.front();
  node.work.pop_front();
  node.buffered -= size;
  late_most_ = std::max(late_most_, now - work.at);
  return work;
}

Duration Processors::Charge(std::uint32_t at, const Step& work, bool door,
                            const flock::Counters& before, const flock::Counters& after) {
  const auto sent = static_cast<Duration::rep>(after.sent - before.sent);
  const auto verified = static_cast<Duration::rep>(after.verified - before.verified);
  Duration cost = kSends * sent + kVerifies * verified;
  cost += work.kind == StepKind::kDatagram ? kReceives : kTimer;
  if (door && (sent > 0 || after.accepted > before.accepted)) cost += kExchanges;
  Node& node = nodes_[at];
  if (node.slice == 0ns) cost += kWakes;
  cost = Duration(static_cast<Duration::rep>(static_cast<double>(cost.count()) / options_.speed));
  node.slice += cost;
  busy_ += cost;
  return cost;
}

std::optional<std::uint32_t> Processors::Next(std::uint32_t at) {
  Node& node = nodes_[at];
  if (!node.work.empty() && node.slice < kSlice) return at;
  node.runs = false;
  ++free_;
  if (!node.work.empty()) {
    node.waits = true;
    line_.push_back(at);
  }
  return Begin();
}

std::deque<Processors::Waiting> Processors::Forget(std::uint32_t at) {
  Node& node = nodes_[at];
  node.buffered = 0;
  if (std::exchange(node.waits, false)) std::erase(line_, at);
  return std::exchange(node.work, {});
}

Processors::Use Processors::TakeUse(Instant now) {
  Use use;
  const Duration passed = now - std::exchange(since_, now);
  use.share = static_cast<double>(std::exchange(busy_, 0ns).count()) /
              (static_cast<double>(passed.count()) * static_cast<double>(options_.count));
  use.late_most = std::exchange(late_most_, 0ns);
  use.lost = std::exchange(lost_, 0);
  return use;
}

}  // namespace radix::sim
