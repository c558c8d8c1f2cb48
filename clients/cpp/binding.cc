#include "clients/cpp/binding.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace radix {
namespace {

// FNV-1a, finished by SplitMix64 so that texts that differ little give weights that differ much.
std::uint64_t WeightOf(const std::string& client, const std::string& net_id) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& text : {client, std::string(1, '\0'), net_id}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return Random(hash).Next();
}

}  // namespace

Binding::Binding(Options options, std::uint64_t seed)
    : options_(std::move(options)), random_(seed) {}

void Binding::Put(const Candidate& candidate) {
  const Key key{candidate.net_id, candidate.inst};
  for (auto other = entries_.lower_bound(Key{candidate.net_id, ""});
       other != entries_.end() && other->first.net_id == candidate.net_id; ++other) {
    other->second.listed = false;
  }
  auto place = entries_.find(key);
  if (place == entries_.end()) {
    if (entries_.size() >= kCandidatesMax) return;
    place = entries_
                .emplace(key, Entry{.weight = WeightOf(options_.client, candidate.net_id),
                                    .backoff = Backoff(options_.retry_first, options_.retry_most)})
                .first;
  }
  place->second.node = candidate.node;
  place->second.listed = true;
  place->second.draining = candidate.draining;
}

void Binding::Remove(const std::string& inst, const std::string& net_id) {
  const auto place = entries_.find(Key{net_id, inst});
  if (place != entries_.end()) place->second.listed = false;
}

void Binding::Replace(const std::vector<Candidate>& candidates) {
  for (auto& [key, entry] : entries_) entry.listed = false;
  for (const Candidate& candidate : candidates) Put(candidate);  // known ones keep their back-off
  EraseUnlisted();
  for (const Candidate& candidate : candidates) Put(candidate);  // now there is room for the rest
}

void Binding::OnServing(ConnectionId connection, Instant now) {
  const auto place = FindConnection(connection);
  if (place == entries_.end()) return;
  Entry& entry = place->second;
  entry.said_draining = false;
  if (!entry.ready) {
    entry.ready = true;
    entry.since = now;
  }
}

void Binding::OnDraining(ConnectionId connection, Instant now) {
  const auto place = FindConnection(connection);
  if (place == entries_.end()) return;
  place->second.said_draining = true;
  if (place->second.ready) return;
  acts_.push_back({.kind = Act::Kind::kDrop, .connection = connection});
  Fail(place->second, now);
}

void Binding::OnBroken(ConnectionId connection, Instant now) {
  const auto place = FindConnection(connection);
  if (place == entries_.end()) return;
  if (connection == bound_) {
    acts_.push_back({.kind = Act::Kind::kUnbind, .connection = connection});
    bound_ = 0;
  }
  acts_.push_back({.kind = Act::Kind::kDrop, .connection = connection});
  Fail(place->second, now);
}

std::optional<Binding::Act> Binding::Poll(Instant now) {
  if (acts_.empty()) {
    next_time_ = Instant::max();
    BindBest();
    DropUnneeded(now);
    ConnectNext(now);
    EraseUnlisted();
  }
  if (acts_.empty()) return std::nullopt;
  Act act = std::move(acts_.front());
  acts_.pop_front();
  return act;
}

Binding::Place Binding::FindConnection(ConnectionId connection) {
  return std::find_if(entries_.begin(), entries_.end(), [connection](const auto& each) {
    return connection != 0 && each.second.connection == connection;
  });
}

bool Binding::Better(const Entries::value_type& a, const Entries::value_type& b) const {
  if (a.second.wanted() != b.second.wanted()) return a.second.wanted();
  if (a.first.inst != b.first.inst) return a.first.inst > b.first.inst;
  const bool a_near = a.second.node == options_.node;
  const bool b_near = b.second.node == options_.node;
  if (a_near != b_near) return a_near;
  return std::tie(a.second.weight, a.first.net_id) > std::tie(b.second.weight, b.first.net_id);
}

// Forgets the connection and decides when the next attempt may be.
void Binding::Fail(Entry& entry, Instant now) {
  const bool was_ready = entry.ready;
  if (was_ready && now - entry.since >= options_.stable) {
    entry.failed = false;
    entry.backoff.Reset();
  }
  // One that worked is replaced at once; if that breaks too, with pauses.
  const bool at_once = was_ready && !entry.failed;
  entry.not_before = at_once ? now : now + entry.backoff.Next(random_);
  entry.failed = true;
  entry.connection = 0;
  entry.ready = false;
  entry.said_draining = false;  // the next attempt asks again
}

void Binding::Disconnect(Entry& entry, Instant now) {
  acts_.push_back({.kind = Act::Kind::kDrop, .connection = entry.connection});
  entry.connection = 0;
  entry.ready = false;
  if (std::exchange(entry.said_draining, false)) {  // asked again after a pause
    entry.not_before = now + entry.backoff.Next(random_);
  }
}

// Binds to the best of those that are ready.
void Binding::BindBest() {
  auto best = entries_.end();
  for (auto place = entries_.begin(); place != entries_.end(); ++place) {
    if (!place->second.ready) continue;
    if (!place->second.wanted() && place->second.connection != bound_) continue;
    if (best == entries_.end() || Better(*place, *best)) best = place;
  }
  if (best == entries_.end() || best->second.connection == bound_) return;
  bound_ = best->second.connection;
  acts_.push_back({.kind = Act::Kind::kBind,
                   .connection = bound_,
                   .candidate = {.inst = best->first.inst,
                                 .net_id = best->first.net_id,
                                 .node = best->second.node,
                                 .draining = !best->second.wanted()}});
}

// Ends what is not bound and would not be bound if it worked, and attempts that take too long.
void Binding::DropUnneeded(Instant now) {
  const auto bound = FindConnection(bound_);
  for (auto& each : entries_) {
    Entry& entry = each.second;
    if (entry.connection == 0 || entry.connection == bound_) continue;
    if (!entry.wanted() || (bound != entries_.end() && Better(*bound, each))) {
      Disconnect(entry, now);
    } else if (now - entry.since >= options_.connect_limit) {
      acts_.push_back({.kind = Act::Kind::kDrop, .connection = entry.connection});
      Fail(entry, now);
    } else {
      next_time_ = std::min(next_time_, entry.since + options_.connect_limit);
    }
  }
}

// Begins a connection to the best instance that has none and is better than the bound one.
void Binding::ConnectNext(Instant now) {
  const auto bound = FindConnection(bound_);
  auto best = entries_.end();
  Instant earliest = Instant::max();
  std::size_t connecting = 0;
  for (auto place = entries_.begin(); place != entries_.end(); ++place) {
    const Entry& entry = place->second;
    if (entry.connection != 0) {
      if (entry.connection != bound_) ++connecting;
      continue;
    }
    if (!entry.wanted() || (bound != entries_.end() && !Better(*place, *bound))) continue;
    if (entry.not_before > now) {
      earliest = std::min(earliest, entry.not_before);
    } else if (best == entries_.end() || Better(*place, *best)) {
      best = place;
    }
  }
  next_time_ = std::min(next_time_, earliest);
  if (best == entries_.end() || connecting >= kConnectingMax) return;
  if (connecting > 0 && now < last_attempt_ + options_.stagger) {
    next_time_ = std::min(next_time_, last_attempt_ + options_.stagger);
    return;
  }
  last_attempt_ = now;
  Entry& entry = best->second;
  entry.connection = ++last_;
  entry.ready = false;
  entry.since = now;
  acts_.push_back(
      {.kind = Act::Kind::kConnect,
       .connection = entry.connection,
       .candidate = {
           .inst = best->first.inst, .net_id = best->first.net_id, .node = best->second.node}});
}

void Binding::EraseUnlisted() {
  std::erase_if(entries_, [](const auto& each) {
    return !each.second.listed && each.second.connection == 0;
  });
}

}  // namespace radix
