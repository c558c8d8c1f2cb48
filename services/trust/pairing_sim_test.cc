// Three nodes' reeves, the callers and the endpoints on them, and what goes wrong between them.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/confab/random.h"
#include "services/trust/endpoint_table.h"
#include "services/trust/pair_table.h"
#include "services/trust/whitelist.h"

namespace radix::trust {
namespace {

constexpr int kNodes = 3;
constexpr char kAll[] = "call default/* default/*\nserve default/* default/*\n";
constexpr char kFew[] = "deny call default/c1 */*\ncall default/* default/*\nserve */* */*\n";

IpAddress AddressOf(int node) { return *IpAddress::Parse("10.0.0." + std::to_string(node + 1)); }
std::uint64_t FingerprintOf(int node) { return 100 + static_cast<std::uint64_t>(node); }

std::shared_ptr<const Rules> Parsed(const std::string& text) {
  return std::make_shared<const Rules>(*Rules::Parse(text));
}

KeyId KeyOf(std::uint64_t number) {
  KeyId key;
  for (std::size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return key;
}

struct Client {
  std::uint64_t id = 0;
  std::string name;
  std::map<KeyId, Pair> wanted;
  std::map<KeyId, Admission> answers;
  std::uint64_t stream = 0;  // 0: none
};

struct Server {
  GuardedEndpoint served;
  Whitelist whitelist;
  std::optional<EndpointTable::Update> under_way;
  std::uint64_t stream = 0;
};

struct Node {
  std::unique_ptr<PairTable> pairs;
  std::unique_ptr<EndpointTable> endpoints;
  std::map<int, Client> clients;
  std::map<int, Server> servers;
  std::set<int> links;  // to those nodes
  bool rules_known = false;
  bool doubts = false;
};

class Group {
 public:
  explicit Group(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kNodes; ++i) StartReeve(i);
  }

  // Something happens.
  void Step() {
    now_ += random_.Between(1ms, 200ms);
    const int node = Any(kNodes);
    switch (random_.Below(15)) {
      case 14:
        return DoubtAnybody(node);
      case 0:
        return StartReeve(node);
      case 1:
        return random_.Chance(0.5) ? SetRules() : SetHordes();
      case 2:
        return Revoke(node);
      case 3:
        return CutLinks(node);
      case 4:
        return EndClient(node);
      case 5:
        return EndServer(node);
      case 6:
      case 7:
        return BeginServer(node);
      case 8:
        return Withdraw(node);
      default:
        return Ask(node);
    }
  }

  // Some of what is under way arrives.
  void Work() {
    for (int i = 0; i < kNodes; ++i) {
      if (!nodes_[i].rules_known && random_.Chance(0.3)) {
        nodes_[i].rules_known = true;
        EndServing(i, nodes_[i].endpoints->SetHordes(hordes_));
        EndServing(i, nodes_[i].endpoints->SetRules(rules_));
      }
      if (nodes_[i].doubts && random_.Chance(0.3)) TrustEverybody(i);
      if (random_.Chance(0.7)) Reconnect(i);
      if (random_.Chance(0.7)) Announce(i);
      if (random_.Chance(0.7)) Tell(i);
      nodes_[i].pairs->HandleTimeout(now_);
      nodes_[i].endpoints->HandleTimeout(now_);
    }
  }

  void Settle() {
    for (int round = 0; round < 200; ++round) {
      now_ += 500ms;  // a hundred seconds in all, longer than every grace
      Work();
    }
  }

  // At rest exactly those are let in that want it and may.
  void CheckRest() const {
    std::map<KeyId, std::pair<const Pair*, int>> wanted;
    for (int i = 0; i < kNodes; ++i) {
      for (const auto& [number, client] : nodes_[i].clients) {
        for (const auto& [key, pair] : client.wanted) wanted[key] = {&pair, i};
      }
    }
    for (const Node& node : nodes_) {
      for (const auto& [number, server] : node.servers) {
        for (const auto& [key, found] : wanted) {
          const auto& [pair, origin] = found;
          if (pair->endpoint != server.served.endpoint) continue;
          EXPECT_EQ(server.whitelist.Find(key) != nullptr, May(*pair, origin, server.served))
              << pair->caller.ToString() << " at " << server.served.inst;
        }
      }
      for (const auto& [number, client] : node.clients) {
        for (const auto& [key, pair] : client.wanted) {
          ASSERT_TRUE(client.answers.contains(key)) << "was never answered";
          const Server* server = ServerAt(pair.endpoint);
          const bool in = server != nullptr && server->whitelist.Find(key) != nullptr;
          EXPECT_EQ(client.answers.at(key).status.ok(), in) << client.answers.at(key).status;
        }
      }
    }
  }

  // No key is let in that nobody wants to use any more.
  void CheckNoneIsLeft() const {
    std::set<KeyId> wanted;
    for (const Node& node : nodes_) {
      for (const auto& [number, client] : node.clients) {
        for (const auto& [key, pair] : client.wanted) wanted.insert(key);
      }
    }
    for (const Node& node : nodes_) {
      for (const auto& [number, server] : node.servers) {
        for (std::uint64_t key = 1; key <= last_key_; ++key) {
          if (wanted.contains(KeyOf(key))) continue;
          EXPECT_EQ(server.whitelist.Find(KeyOf(key)), nullptr) << "key " << key << " was left";
        }
      }
    }
  }

 private:
  int Any(int below) { return static_cast<int>(random_.Below(static_cast<std::uint64_t>(below))); }

  bool May(const Pair& pair, int origin, const GuardedEndpoint& served) const {
    return rules_->Decide(Verb::kCall, pair.caller, served.api).allowed &&
           !revoked_.keys.contains(pair.key) && !revoked_.nodes.contains(FingerprintOf(origin)) &&
           hordes_.Has("default", FingerprintOf(origin)) &&
           hordes_.Has("default", FingerprintOf(NodeOf(served.endpoint))) &&
           (pair.meant.inst.empty() || pair.meant.inst == served.inst);
  }
  static int NodeOf(const Endpoint& endpoint) {
    int node = 0;
    while (AddressOf(node) != endpoint.ip) ++node;
    return node;
  }

  const Server* ServerAt(const Endpoint& endpoint) const {
    for (const Node& node : nodes_) {
      for (const auto& [number, server] : node.servers) {
        if (server.served.endpoint == endpoint) return &server;
      }
    }
    return nullptr;
  }

  void StartReeve(int i) {
    Node& node = nodes_[i];
    node.pairs = std::make_unique<PairTable>(now_);
    node.endpoints = std::make_unique<EndpointTable>(now_, FingerprintOf(i));
    node.rules_known = false;
    node.doubts = false;
    node.endpoints->SetRevoked(revoked_);
    for (auto& [number, client] : node.clients) client.stream = 0;
    for (auto& [number, server] : node.servers) server.stream = 0;
    CutLinks(i);
  }
  // For a moment flock of that node lists one less.
  void DoubtAnybody(int i) {
    std::vector<NodeKey> living;
    const int missed = Any(kNodes);
    for (int other = 0; other < kNodes; ++other) {
      if (other != missed) living.push_back({AddressOf(other), FingerprintOf(other)});
    }
    if (missed != i) nodes_[i].endpoints->SetLiving(living, now_);
    nodes_[i].doubts = true;
  }
  void TrustEverybody(int i) {
    std::vector<NodeKey> living;
    for (int other = 0; other < kNodes; ++other) {
      living.push_back({AddressOf(other), FingerprintOf(other)});
    }
    nodes_[i].endpoints->SetLiving(living, now_);
    nodes_[i].doubts = false;
  }
  void SetRules() {
    rules_ = Parsed(random_.Chance(0.5) ? kAll : kFew);
    for (int i = 0; i < kNodes; ++i) {
      if (nodes_[i].rules_known) EndServing(i, nodes_[i].endpoints->SetRules(rules_));
    }
  }
  void SetHordes() {
    registry::Horde horde{.every_node = true, .named = {}};
    for (int i = 0; i < kNodes; ++i) {
      if (random_.Chance(0.2)) horde.Set(FingerprintOf(i), "", registry::Standing::kOutside);
    }
    hordes_.Put("default", std::move(horde));
    for (int i = 0; i < kNodes; ++i) {
      if (nodes_[i].rules_known) EndServing(i, nodes_[i].endpoints->SetHordes(hordes_));
    }
  }
  // These streams of servers were ended: they may not serve any more.
  void EndServing(int i, const std::vector<EndpointTable::GuardId>& ended) {
    for (auto& [number, server] : nodes_[i].servers) {
      if (std::ranges::count(ended, server.stream) == 0) continue;
      server.stream = 0;
      server.whitelist.Clear();
    }
  }
  void Revoke(int i) {
    if (random_.Chance(0.1)) revoked_.nodes.insert(FingerprintOf(i));
    if (last_key_ > 0) revoked_.keys.insert(KeyOf(1 + random_.Below(last_key_)));
    for (Node& node : nodes_) node.endpoints->SetRevoked(revoked_);
  }
  void CutLinks(int i) {
    for (int other = 0; other < kNodes; ++other) {
      CutLink(i, other);
      CutLink(other, i);
    }
  }
  void CutLink(int from, int to) {
    if (nodes_[from].links.erase(to) == 0) return;
    nodes_[from].pairs->HandleLinkEnd(AddressOf(to), /*orderly=*/false);
    nodes_[to].endpoints->HandleOriginEnd(FingerprintOf(from), now_);
  }
  void EndClient(int i) {
    Node& node = nodes_[i];
    if (node.clients.empty()) return;
    const auto client = node.clients.begin();
    if (client->second.stream != 0) node.pairs->HandleCallerEnd(client->second.stream);
    node.clients.erase(client);
  }
  void EndServer(int i) {
    Node& node = nodes_[i];
    if (node.servers.empty()) return;
    const auto server = node.servers.begin();
    if (server->second.stream != 0) node.endpoints->HandleGuardEnd(server->second.stream);
    node.servers.erase(server);
  }
  void BeginServer(int i) {
    const int port = Any(3);
    if (nodes_[i].servers.contains(port)) return;
    Server& server = nodes_[i].servers[port];
    server.served = {.endpoint = {AddressOf(i), static_cast<std::uint16_t>(4000 + port)},
                     .api = {"default", "a"},
                     .inst = "a_" + std::to_string(Any(2)),
                     .service = "s",
                     .keys = {KeyOf(1'000'000 + random_.Below(1000))},
                     .certificates = {}};
  }
  void Ask(int i) {
    const int number = Any(3);
    Client& client = nodes_[i].clients[number];
    client.name = "c" + std::to_string(number);
    Pair pair{.key = KeyOf(++last_key_),
              .caller = {"default", client.name},
              .endpoint = {AddressOf(Any(kNodes)), static_cast<std::uint16_t>(4000 + Any(3))},
              .meant = {.horde = "default", .api = "a", .inst = random_.Chance(0.3) ? "a_1" : ""}};
    client.wanted[pair.key] = pair;
    if (client.stream != 0) {
      nodes_[i].pairs->HandlePair(client.stream, pair);
    }
  }
  void Withdraw(int i) {
    for (auto& [number, client] : nodes_[i].clients) {
      if (client.wanted.empty()) continue;
      const KeyId key = client.wanted.begin()->first;
      client.wanted.erase(key);
      client.answers.erase(key);
      if (client.stream != 0) nodes_[i].pairs->HandleGone(client.stream, key);
      return;
    }
  }

  void Reconnect(int i) {
    Node& node = nodes_[i];
    for (auto& [number, client] : node.clients) {
      if (client.stream != 0 || random_.Chance(0.4)) continue;
      client.stream = ++last_stream_;
      for (const auto& [key, pair] : client.wanted) {
        node.pairs->HandlePair(client.stream, pair);
      }
    }
    for (auto& [number, server] : node.servers) {
      if (server.stream != 0) continue;
      server.stream = ++last_stream_;
      server.under_way.reset();
      server.whitelist.HandleStream();
      const auto taken = node.endpoints->HandleEndpoint(server.stream, server.served);
      if (taken.ok()) continue;
      ASSERT_TRUE(node.rules_known && !hordes_.Has("default", FingerprintOf(i))) << taken.status();
      server.stream = 0;
      server.whitelist.Clear();
    }
  }

  void Announce(int i) {
    Node& node = nodes_[i];
    for (const IpAddress& address : node.pairs->Nodes()) {
      for (int to = 0; to < kNodes; ++to) {
        if (AddressOf(to) == address) AnnounceTo(i, to);
      }
    }
  }
  void AnnounceTo(int from, int to) {
    PairTable& pairs = *nodes_[from].pairs;
    EndpointTable& endpoints = *nodes_[to].endpoints;
    if (nodes_[from].links.insert(to).second) {
      pairs.HandleLink(AddressOf(to));
      endpoints.HandleOrigin(FingerprintOf(from));
      named_[{from, to}].clear();
    }
    while (const auto announcement = pairs.AnnouncementFor(AddressOf(to))) {
      if (random_.Chance(0.05)) {  // it is lost, and so is the link
        CutLink(from, to);
        return;
      }
      std::set<KeyId>& named = named_[{from, to}];
      for (const Pair& pair : announcement->pairs) named.insert(pair.key);
      for (const KeyId& key : announcement->gone) named.erase(key);
      endpoints.HandlePairs(FingerprintOf(from), announcement->pairs, announcement->gone);
      if (announcement->complete) endpoints.Retain(FingerprintOf(from), named);
    }
    for (const Admission& each : endpoints.AdmissionsFor(FingerprintOf(from))) {
      CheckPromise(to, each);
      pairs.HandleAdmission(AddressOf(to), each);
    }
  }

  // Who is said to be let in is let in already.
  void CheckPromise(int node, const Admission& said) const {
    if (!said.status.ok()) return;
    bool in = false;
    for (const auto& [number, server] : nodes_[node].servers) {
      in = in || server.whitelist.Find(said.key) != nullptr;
    }
    EXPECT_TRUE(in) << "an endpoint does not know yet whom it is to let in";
  }

  void Tell(int i) {
    Node& node = nodes_[i];
    for (auto& [number, server] : node.servers) {
      if (server.stream == 0) continue;
      if (!server.under_way) server.under_way = node.endpoints->UpdateFor(server.stream);
      // What takes somebody out arrives at once: by then he might be in again.
      const bool slow = server.under_way && server.under_way->gone.empty() &&
                        server.under_way->forbidden.empty() && !server.under_way->complete &&
                        random_.Chance(0.3);
      if (!server.under_way || slow) continue;
      Handle(server, *server.under_way);
      if (random_.Chance(0.9)) {
        node.endpoints->HandleTaken(server.stream, server.under_way->number);
      }
      last_number_[server.stream] = server.under_way->number;
      server.under_way.reset();
    }
    for (auto& [number, server] : node.servers) {
      if (server.stream == 0 || random_.Chance(0.5)) continue;
      node.endpoints->HandleTaken(server.stream, last_number_[server.stream]);
    }
    for (auto& [number, client] : node.clients) {
      for (const Admission& each : node.pairs->AdmissionsFor(client.stream)) {
        if (!client.wanted.contains(each.key)) continue;
        client.answers[each.key] = each;
      }
    }
  }

  // Whoever was let in, still wants it and may is never cut off: restarts and lost links are no
  // reason.
  void Handle(Server& server, const EndpointTable::Update& update) const {
    std::set<KeyId> stay;
    for (int i = 0; i < kNodes; ++i) {
      for (const auto& [number, client] : nodes_[i].clients) {
        for (const auto& [key, pair] : client.wanted) {
          if (server.whitelist.Find(key) != nullptr && May(pair, i, server.served)) {
            stay.insert(key);
          }
        }
      }
    }
    server.whitelist.Handle(
        {update.callers, update.gone, update.forbidden, update.complete, std::nullopt});
    for (const KeyId& key : stay) {
      EXPECT_NE(server.whitelist.Find(key), nullptr) << "a caller was cut off";
    }
  }

  Random random_;
  Instant now_ = Instant(1000s);
  std::shared_ptr<const Rules> rules_ = Parsed(kAll);
  Revoked revoked_;
  registry::Hordes hordes_;
  Node nodes_[kNodes];
  std::map<std::pair<int, int>, std::set<KeyId>> named_;
  std::map<std::uint64_t, std::uint64_t> last_number_;
  std::uint64_t last_stream_ = 0;
  std::uint64_t last_key_ = 0;
};

TEST(PairingSimTest, AtRestExactlyThoseAreLetInThatMay) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Group group(seed);
    for (int step = 0; step < 150; ++step) {
      group.Step();
      group.Work();
    }
    group.Settle();
    group.CheckRest();
    group.CheckNoneIsLeft();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace radix::trust
