// A network that loses, delays, doubles and cuts, deterministically.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "services/confab/random.h"
#include "services/confab/time.h"

namespace radix::sim {

// How datagrams fare. All probabilities are per datagram, in [0, 1].
struct NetworkOptions {
  double loss = 0;
  double duplication = 0;
  double delay_probability = 0;  // of a much longer delay, and so of reordering
  double replay = 0;             // of an old datagram being sent again, any time later
  double corruption = 0;         // of a flipped bit
  Duration latency_least = 100us;
  Duration latency_most = 500us;
  Duration delay_most = 20ms;
};

// Decides the fate of each datagram between nodes, named by index. Not thread-safe.
class Network {
 public:
  Network(std::size_t nodes, const NetworkOptions& options, std::uint64_t seed);

  NetworkOptions& options() { return options_; }

  // The delays after which copies arrive; none when it is lost.
  struct Fate {
    std::size_t copies = 0;
    Duration delays[2] = {};
  };
  Fate Send(std::size_t from, std::size_t to);

  // Nodes of different sides do not hear each other; with `one_way`, side 0 does not hear the
  // others, but they hear it.
  void Partition(std::vector<std::uint8_t> side, bool one_way);
  // `from` is not heard by `to` any more.
  void Cut(std::size_t from, std::size_t to) { cuts_.insert({from, to}); }
  // A node that loses most of what it receives or sends.
  void SetNodeLoss(std::size_t node, double in, double out) { node_loss_[node] = {in, out}; }
  void Heal();

  bool Connected(std::size_t from, std::size_t to) const;

 private:
  NetworkOptions options_;
  Random random_;
  std::vector<std::uint8_t> side_;
  bool one_way_ = false;
  std::set<std::pair<std::size_t, std::size_t>> cuts_;
  std::vector<std::pair<double, double>> node_loss_;
};

}  // namespace radix::sim
