#include "services/trust/endpoint_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::trust {
namespace {

bool Means(const Meant& meant, const GuardedEndpoint& served) {
  return meant.horde == served.api.horde &&
         (meant.api.empty() || meant.api == served.api.service) &&
         (meant.inst.empty() || meant.inst == served.inst);
}

}  // namespace

absl::StatusOr<std::optional<EndpointTable::GuardId>> EndpointTable::HandleEndpoint(
    GuardId id, const GuardedEndpoint& served) {
  if (absl::Status allowed = MayServe(served); !allowed.ok()) return allowed;
  std::optional<GuardId> superseded;
  const auto known = guards_.find(id);
  if (known == guards_.end()) {
    const auto before = by_endpoint_.find(served.endpoint);
    if (before != by_endpoint_.end()) {
      superseded = before->second;
      guards_.erase(before->second);
    }
    if (guards_.size() >= kGuardsMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("this node has ", kGuardsMax, " endpoints already"));
    }
    by_endpoint_[served.endpoint] = id;
    guards_[id].served = served;
  } else {
    if (known->second.served.endpoint != served.endpoint) {
      return absl::InvalidArgumentError("endpoint.net_id: is another than before");
    }
    known->second.served = served;
  }
  for (auto& [origin, node] : nodes_) {
    for (auto& [key, row] : node.rows) {
      if (row.pair.endpoint != served.endpoint) continue;
      if (known == guards_.end()) {
        row.sent_in = 0;
        row.admitted = false;
      } else if (row.admitted) {
        node.dirty.insert(key);  // with the keys that it shows now
      }
      Rejudge(origin, node, row);
    }
  }
  return superseded;
}

void EndpointTable::HandleTaken(GuardId id, std::uint64_t number) {
  const auto found = guards_.find(id);
  if (found == guards_.end()) return;
  auto& untaken = found->second.untaken;
  while (!untaken.empty() && untaken.begin()->first <= number) {
    const std::uint64_t update = untaken.begin()->first;
    for (const KeyId& key : untaken.begin()->second) {
      Row* const row = Find(key);
      if (row == nullptr || row->sent_in != update || row->forbidden) continue;
      row->admitted = true;
      nodes_.at(owners_.at(key)).dirty.insert(key);
    }
    untaken.erase(untaken.begin());
  }
}

void EndpointTable::HandleGuardEnd(GuardId id) {
  const auto found = guards_.find(id);
  if (found == guards_.end()) return;
  const Endpoint endpoint = found->second.served.endpoint;
  guards_.erase(found);
  by_endpoint_.erase(endpoint);
  for (auto& [origin, node] : nodes_) {
    for (auto& [key, row] : node.rows) {
      if (row.pair.endpoint != endpoint) continue;
      row.sent_in = 0;
      row.admitted = false;
      Rejudge(origin, node, row);
    }
  }
}

std::optional<EndpointTable::Update> EndpointTable::UpdateFor(GuardId id) {
  const auto found = guards_.find(id);
  if (found == guards_.end() || !HasNewsFor(found->second)) return std::nullopt;
  Guard& guard = found->second;
  Update update{.number = ++guard.last_number};
  while (!guard.dirty.empty() && update.callers.size() < kUpdateMax) {
    const KeyId key = *guard.dirty.begin();
    guard.dirty.erase(guard.dirty.begin());
    Row* const row = Find(key);
    if (row == nullptr || row->pair.endpoint != guard.served.endpoint) {
      update.gone.push_back(key);
      continue;
    }
    if (row->forbidden) {
      update.forbidden.push_back(key);
      continue;
    }
    row->sent_in = update.number;
    guard.untaken[update.number].push_back(key);
    update.callers.push_back({key, row->pair.caller, owners_.at(key)});
  }
  update.complete = !guard.told_all && IsAllKnown() && guard.dirty.empty();
  guard.told_all = guard.told_all || update.complete;
  return update;
}

bool EndpointTable::HasNewsFor(const Guard& guard) const {
  return guard.last_number == 0 || !guard.dirty.empty() || (!guard.told_all && IsAllKnown());
}

bool EndpointTable::IsAllKnown() const { return all_known_ && rules_ != nullptr; }

absl::Status EndpointTable::HandlePairs(Origin origin, const std::vector<Pair>& pairs,
                                        const std::vector<KeyId>& gone) {
  Node& node = nodes_[origin];
  std::size_t added = 0;
  for (const Pair& pair : pairs) added += node.rows.contains(pair.key) ? 0 : 1;
  if (node.rows.size() + added > kPairsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a node may call with ", kPairsMax, " keys at most"));
  }
  for (const Pair& pair : pairs) Put(origin, pair);
  for (const KeyId& key : gone) Erase(origin, key);
  return absl::OkStatus();
}

void EndpointTable::Put(Origin origin, const Pair& pair) {
  Node& node = nodes_[origin];
  if (const auto owner = owners_.find(pair.key); owner != owners_.end()) {
    if (owner->second != origin) {
      // Never that of another: whoever takes it back would cut the other off.
      node.rows[pair.key] = {
          .pair = pair,
          .forbidden = absl::PermissionDeniedError("the key is that of another node"),
      };
      node.dirty.insert(pair.key);
      return;
    }
    Row& row = node.rows[pair.key];
    if (row.pair == pair) {
      node.dirty.insert(pair.key);
      return;
    }
    Erase(origin, pair.key);
  }
  owners_[pair.key] = origin;
  Row& row = node.rows[pair.key];
  row = {.pair = pair};
  Rejudge(origin, node, row);
}

void EndpointTable::Erase(Origin origin, const KeyId& key) {
  const auto node = nodes_.find(origin);
  if (node == nodes_.end()) return;
  const auto found = node->second.rows.find(key);
  if (found == node->second.rows.end()) return;
  const auto owner = owners_.find(key);
  if (owner != owners_.end() && owner->second == origin) {
    owners_.erase(owner);
    if (Guard* guard = GuardAt(found->second.pair.endpoint)) guard->dirty.insert(key);
  }
  node->second.dirty.erase(key);
  node->second.rows.erase(found);
}

void EndpointTable::Retain(Origin origin, const std::set<KeyId>& keys) {
  const auto node = nodes_.find(origin);
  if (node == nodes_.end()) return;
  std::vector<KeyId> gone;
  for (const auto& [key, row] : node->second.rows) {
    if (!keys.contains(key)) gone.push_back(key);
  }
  for (const KeyId& key : gone) Erase(origin, key);
}

std::vector<Admission> EndpointTable::AdmissionsFor(Origin origin) {
  std::vector<Admission> told;
  const auto node = nodes_.find(origin);
  if (node == nodes_.end()) return told;
  for (const KeyId& key : std::exchange(node->second.dirty, {})) {
    const auto row = node->second.rows.find(key);
    if (row == node->second.rows.end()) continue;
    if (row->second.forbidden) {
      told.push_back({key, *row->second.forbidden, {}, {}});
    } else if (row->second.admitted) {
      const GuardedEndpoint& served = GuardAt(row->second.pair.endpoint)->served;
      told.push_back({key, absl::OkStatus(), served.keys, served.certificates});
    }
  }
  return told;
}

void EndpointTable::HandleOrigin(Origin origin) {
  Node& node = nodes_[origin];
  node.forgotten_at = Instant::max();
  for (const auto& [key, row] : node.rows) node.dirty.insert(key);
}

void EndpointTable::HandleOriginEnd(Origin origin, Instant now) {
  const auto node = nodes_.find(origin);
  if (node != nodes_.end()) node->second.forgotten_at = now + kOriginGrace;
}

void EndpointTable::Forget(Origin origin) {
  Retain(origin, {});
  nodes_.erase(origin);
}

std::vector<EndpointTable::Origin> EndpointTable::SetLiving(const std::vector<NodeKey>& living) {
  std::set<Origin> now;
  for (const NodeKey& each : living) {
    if (each.fingerprint) now.insert(*each.fingerprint);
  }
  living_ = std::move(now);
  std::vector<Origin> gone;
  for (const auto& [origin, node] : nodes_) {
    if (!living_->contains(origin)) gone.push_back(origin);
  }
  for (const Origin origin : gone) Forget(origin);
  return gone;
}

std::vector<EndpointTable::GuardId> EndpointTable::SetRules(std::shared_ptr<const Rules> rules) {
  rules_ = std::move(rules);
  std::vector<GuardId> refused;
  for (const auto& [id, guard] : guards_) {
    if (!MayServe(guard.served).ok()) refused.push_back(id);
  }
  for (const GuardId id : refused) HandleGuardEnd(id);
  RejudgeAll();
  return refused;
}

absl::Status EndpointTable::MayServe(const GuardedEndpoint& served) const {
  if (rules_ == nullptr) return absl::OkStatus();  // SetRules looks again
  const Party who{served.api.horde, served.service};
  const auto verdict = rules_->Decide(Verb::kServe, who, served.api);
  if (verdict.allowed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(who.ToString(), " may not serve ",
                                                  served.api.ToString(), ": ", verdict.Reason()));
}

void EndpointTable::SetRevoked(const Revoked& revoked) {
  if (revoked_ == revoked) return;
  revoked_ = revoked;
  RejudgeAll();
}

void EndpointTable::HandleTimeout(Instant now) {
  std::vector<Origin> over;
  for (const auto& [origin, node] : nodes_) {
    if (now >= node.forgotten_at) over.push_back(origin);
  }
  for (const Origin origin : over) Forget(origin);
  all_known_ = all_known_ || now >= began_ + kAllKnownAfter;
  if (guards_known_ || now < began_ + kGuardsKnownAfter) return;
  guards_known_ = true;
  RejudgeAll();
}

Instant EndpointTable::NextTimeout() const {
  Instant next = Instant::max();
  if (!guards_known_) {
    next = began_ + kGuardsKnownAfter;
  } else if (!all_known_) {
    next = began_ + kAllKnownAfter;
  }
  for (const auto& [origin, node] : nodes_) next = std::min(next, node.forgotten_at);
  return next;
}

std::vector<EndpointTable::GuardId> EndpointTable::GuardsToTell() const {
  std::vector<GuardId> ids;
  for (const auto& [id, guard] : guards_) {
    if (HasNewsFor(guard)) ids.push_back(id);
  }
  return ids;
}

std::vector<EndpointTable::Origin> EndpointTable::OriginsToTell() const {
  std::vector<Origin> origins;
  for (const auto& [origin, node] : nodes_) {
    if (!node.dirty.empty()) origins.push_back(origin);
  }
  return origins;
}

std::vector<EndpointTable::Listed> EndpointTable::List() const {
  std::vector<Listed> list;
  for (const auto& [origin, node] : nodes_) {
    for (const auto& [key, row] : node.rows) {
      if (!row.admitted) continue;
      const Guard& guard = guards_.at(by_endpoint_.at(row.pair.endpoint));
      list.push_back({guard.served, {key, row.pair.caller, origin}});
    }
  }
  return list;
}

std::vector<GuardedEndpoint> EndpointTable::Endpoints() const {
  std::vector<GuardedEndpoint> endpoints;
  for (const auto& [endpoint, id] : by_endpoint_) endpoints.push_back(guards_.at(id).served);
  return endpoints;
}

EndpointTable::Guard* EndpointTable::GuardAt(const Endpoint& endpoint) {
  const auto found = by_endpoint_.find(endpoint);
  return found == by_endpoint_.end() ? nullptr : &guards_.at(found->second);
}

EndpointTable::Row* EndpointTable::Find(const KeyId& key) {
  const auto owner = owners_.find(key);
  if (owner == owners_.end()) return nullptr;
  return &nodes_.at(owner->second).rows.at(key);
}

absl::Status EndpointTable::Judge(Origin origin, const Pair& pair, const Guard* guard) const {
  if (revoked_.keys.contains(pair.key)) return absl::PermissionDeniedError("the key was revoked");
  if (revoked_.nodes.contains(origin)) {
    return absl::PermissionDeniedError("the caller's node was revoked");
  }
  if (rules_ == nullptr) return absl::UnavailableError("the rules are not known yet");
  if (guard == nullptr) {
    return absl::NotFoundError(absl::StrCat("nothing is served at ", pair.endpoint.ToString()));
  }
  const GuardedEndpoint& served = guard->served;
  if (!Means(pair.meant, served)) {
    return absl::NotFoundError(absl::StrCat(pair.endpoint.ToString(), " serves ", served.inst,
                                            " of ", served.api.ToString(), " now"));
  }
  const auto verdict = rules_->Decide(Verb::kCall, pair.caller, served.api);
  if (verdict.allowed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(pair.caller.ToString(), " may not call ",
                                                  served.api.ToString(), ": ", verdict.Reason()));
}

// Decides about a row anew, and notes who is to be told of it.
void EndpointTable::Rejudge(Origin origin, Node& node, Row& row) {
  const KeyId& key = row.pair.key;
  if (const auto owner = owners_.find(key); owner == owners_.end() || owner->second != origin) {
    return;  // another node's
  }
  Guard* const guard = GuardAt(row.pair.endpoint);
  absl::Status judged = Judge(origin, row.pair, guard);
  if (judged.ok()) {
    row.forbidden.reset();
    if (row.sent_in == 0) guard->dirty.insert(key);
    return;
  }
  // An endpoint that has not told of itself since this reeve began may do so yet.
  if (guard == nullptr && !guards_known_ && absl::IsNotFound(judged)) return;
  if (absl::IsUnavailable(judged)) return;
  if (row.forbidden == judged) return;
  row.forbidden = std::move(judged);
  if (guard != nullptr && row.sent_in != 0) guard->dirty.insert(key);
  row.sent_in = 0;
  row.admitted = false;
  node.dirty.insert(key);
}

void EndpointTable::RejudgeAll() {
  for (auto& [origin, node] : nodes_) {
    for (auto& [key, row] : node.rows) Rejudge(origin, node, row);
  }
}

}  // namespace radix::trust
