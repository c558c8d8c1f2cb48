// A Binding among instances that come, drain, hang, crash and come back, and a registry that is
// late and sometimes forgets everything: thousands of such lives, each from one seed.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "clients/cpp/binding.h"

namespace radix {
namespace {

constexpr Duration kStep = 1ms;
constexpr Duration kFaults = 20s;  // then nothing fails any more
constexpr Duration kCalm = 30s;    // within which the best must be bound

struct Server {
  Candidate candidate;
  bool up = false;        // takes connections
  bool hung = false;      // up, but does not answer
  bool draining = false;  // says so on its connections
};

class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed), binding_({.node = "n1", .client = "n1/1"}, seed) {
    const std::uint64_t count = 1 + random_.Below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      Server server;
      server.candidate.inst = "g_" + std::to_string(3 + random_.Below(3));
      server.candidate.net_id = "127.0.0.1:" + std::to_string(1000 + i);
      server.candidate.node = "n" + std::to_string(1 + random_.Below(3));
      server.up = random_.Chance(0.5);
      servers_.push_back(server);
    }
  }

  // Lives through the faults and the calm after them.
  void Run() {
    while (now_ < start_ + kFaults + kCalm && !testing::Test::HasFailure()) {
      now_ += kStep;
      if (now_ < start_ + kFaults) {
        if (random_.Chance(0.003)) Fault(servers_[random_.Below(servers_.size())]);
        if (random_.Chance(0.0005)) binding_.Replace({});  // reeve began anew
        if (random_.Chance(0.002)) Tell();
      } else if (now_ == start_ + kFaults) {
        for (Server& server : servers_) server.hung = false;
        Tell();
      }
      Deliver();
      Act();
      Check();
    }
  }

  // The greatest inst that takes calls; empty when there is none.
  std::string best_inst() const {
    std::string best;
    for (const Server& server : servers_) {
      if (server.up && !server.draining) best = std::max(best, server.candidate.inst);
    }
    return best;
  }
  // The inst of the instance that is bound; empty when there is none.
  std::string bound_inst() const {
    return bound_ == 0 ? "" : servers_[links_.at(bound_).server].candidate.inst;
  }
  std::size_t connections() const { return links_.size(); }

 private:
  struct Link {
    std::size_t server = 0;
    bool ready = false;
    bool told_draining = false;
    bool broken = false;  // but not noticed yet
    Instant news{};       // when the next news of it arrives
  };

  void Fault(Server& server) {
    const std::size_t index = static_cast<std::size_t>(&server - servers_.data());
    switch (random_.Below(4)) {
      case 0:
        server.up = !server.up;
        server.draining = false;
        if (!server.up) Break(index);
        break;
      case 1:
        server.hung = !server.hung;
        break;
      case 2:
        server.draining = !server.draining;
        break;
      default:
        Break(index);  // only the connection
    }
  }

  void Break(std::size_t server) {
    for (auto& [id, link] : links_) {
      if (link.server == server && !link.broken) {
        link.broken = true;
        link.news = now_ + random_.Between(0ms, 5ms);
      }
    }
  }

  // The registry's news, which may be old in a moment.
  void Tell() {
    std::vector<Candidate> live;
    for (const Server& server : servers_) {
      if (!server.up) continue;
      live.push_back(server.candidate);
      live.back().draining = server.draining;
    }
    binding_.Replace(live);
  }

  void Deliver() {
    for (auto& [id, link] : std::map(links_)) {
      const Server& server = servers_[link.server];
      if (link.news > now_) continue;
      if (link.broken || (!link.ready && !server.up)) {
        binding_.OnBroken(id, now_);
        if (bound_ == id) bound_broken_ = true;
        links_[id].news = Instant::max();
      } else if (server.hung) {
        continue;
      } else if (server.draining != link.told_draining || !link.ready) {
        links_[id].ready = true;
        links_[id].told_draining = server.draining;
        if (server.draining) {
          binding_.OnDraining(id, now_);
        } else {
          binding_.OnServing(id, now_);
        }
      }
    }
  }

  void Act() {
    int acts = 0;
    while (const auto act = binding_.Poll(now_)) {
      ASSERT_LT(++acts, 100) << "it does not come to rest";
      switch (act->kind) {
        case Binding::Act::Kind::kConnect:
          Connect(*act);
          break;
        case Binding::Act::Kind::kBind:
          ASSERT_TRUE(links_.at(act->connection).ready);
          ASSERT_FALSE(links_.at(act->connection).told_draining) << "bound to one that drains";
          bound_ = act->connection;
          bound_broken_ = false;
          break;
        case Binding::Act::Kind::kUnbind:
          ASSERT_EQ(act->connection, bound_);
          ASSERT_TRUE(bound_broken_) << "left a connection that works for nothing";
          bound_ = 0;
          break;
        case Binding::Act::Kind::kDrop:
          ASSERT_NE(act->connection, bound_) << "dropped the one in use";
          ASSERT_EQ(links_.erase(act->connection), 1u) << "dropped twice";
          break;
      }
    }
    ASSERT_GT(binding_.next_time(), now_) << "it wants to be polled without end";
  }

  void Connect(const Binding::Act& act) {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      if (servers_[i].candidate.net_id != act.candidate.net_id) continue;
      for (const auto& [id, link] : links_) ASSERT_NE(link.server, i) << "two connections to one";
      links_[act.connection] = {.server = i, .news = now_ + random_.Between(0ms, 20ms)};
      return;
    }
    FAIL() << "connects to what was never told";
  }

  void Check() {
    ASSERT_EQ(binding_.bound(), bound_);
    ASSERT_LE(links_.size(), Binding::kConnectingMax + 1);
  }

  Random random_;
  const Instant start_{1h};
  Instant now_ = start_;
  std::vector<Server> servers_;
  Binding binding_;
  std::map<Binding::ConnectionId, Link> links_;
  Binding::ConnectionId bound_ = 0;
  bool bound_broken_ = false;
};

TEST(BindingSimTest, EndsUpWithTheBestAndNeverLetsGoOfWhatWorks) {
  int bound = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    world.Run();
    if (HasFailure()) return;
    if (world.best_inst().empty()) continue;  // then it may keep one that drains, or look for one
    ++bound;
    ASSERT_EQ(world.bound_inst(), world.best_inst());
    ASSERT_EQ(world.connections(), 1u) << "keeps what it does not need";
  }
  EXPECT_GT(bound, 200) << "too few lives end with an instance to show anything";
}

}  // namespace
}  // namespace radix
