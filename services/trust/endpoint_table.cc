#include "services/trust/endpoint_table.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::trust {

absl::StatusOr<std::optional<EndpointTable::GuardId>> EndpointTable::HandleEndpoint(
    GuardId id, const GuardedEndpoint& served) {
  const Endpoint& endpoint = served.endpoint;
  const auto known = guards_.find(id);
  if (known != guards_.end() && known->second.served.endpoint != endpoint) {
    return absl::InvalidArgumentError("endpoint.net_id: is another than before");
  }
  if (absl::Status allowed = policy_.MayServe(served); !allowed.ok()) {
    HandleGuardEnd(id);
    if (refused_.size() < kGuardsMax) refused_[endpoint] = allowed;
    RejudgeAt(endpoint);
    return allowed;
  }
  refused_.erase(endpoint);
  if (known != guards_.end()) {
    known->second.served = served;
    RejudgeAt(endpoint);
    for (const KeyId& key : KeysAt(endpoint)) {
      // With the keys that it shows now.
      if (Find(key)->admitted) nodes_.at(owners_.at(key)).dirty.insert(key);
    }
    return std::nullopt;
  }
  std::optional<GuardId> superseded;
  if (const auto before = by_endpoint_.find(endpoint); before != by_endpoint_.end()) {
    // Or one service could have another be deaf.
    const GuardedEndpoint& there = guards_.at(before->second).served;
    if (there.api != served.api || there.service != served.service) {
      return absl::AlreadyExistsError(absl::StrCat("endpoint.net_id: there serves ",
                                                   there.api.horde, "/", there.service,
                                                   ", whose stream is open"));
    }
    superseded = before->second;
    guards_.erase(before->second);
    by_endpoint_.erase(before);
  }
  if (guards_.size() >= kGuardsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node has ", kGuardsMax, " endpoints already"));
  }
  by_endpoint_[endpoint] = id;
  guards_[id].served = served;
  Unsend(endpoint);
  RejudgeAt(endpoint);
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
      if (row == nullptr || row->sent_in != update || !row->allowed()) continue;
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
  Unsend(endpoint);
  RejudgeAt(endpoint);
}

// Whoever serves there now has been told of nobody.
void EndpointTable::Unsend(const Endpoint& endpoint) {
  for (const KeyId& key : KeysAt(endpoint)) {
    Row& row = *Find(key);
    row.sent_in = 0;
    row.admitted = false;
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
    } else if (row->allowed()) {
      row->sent_in = update.number;
      guard.untaken[update.number].push_back(key);
      update.callers.push_back({key, row->pair.caller, owners_.at(key)});
    } else if (row->verdict) {
      update.forbidden.push_back(key);
    }
  }
  update.complete = !guard.told_all && IsAllKnown() && guard.dirty.empty();
  guard.told_all = guard.told_all || update.complete;
  return update;
}

bool EndpointTable::HasNewsFor(const Guard& guard) const {
  return guard.last_number == 0 || !guard.dirty.empty() || (!guard.told_all && IsAllKnown());
}

bool EndpointTable::IsAllKnown() const { return all_known_ && policy_.rules_are_known(); }

void EndpointTable::HandlePairs(Origin origin, const std::vector<Pair>& pairs,
                                const std::vector<KeyId>& gone) {
  for (const KeyId& key : gone) Erase(origin, key);
  Node& node = nodes_[origin];
  for (const Pair& pair : pairs) {
    if (node.rows.size() < kPairsMax || node.rows.contains(pair.key)) {
      Put(origin, pair);
    } else if (node.surplus.size() < kSurplusMax) {
      node.surplus.push_back({pair.key,
                              absl::ResourceExhaustedError(absl::StrCat(
                                  "a node may call with ", kPairsMax, " keys at most")),
                              {},
                              {}});
    }
  }
}

void EndpointTable::Put(Origin origin, const Pair& pair) {
  Node& node = nodes_[origin];
  const auto owner = owners_.find(pair.key);
  if (owner != owners_.end() && owner->second != origin) {
    // Never that of another: whoever takes it back would cut the other off.
    node.rows[pair.key] = {
        .pair = pair, .verdict = absl::PermissionDeniedError("the key is that of another node")};
    node.dirty.insert(pair.key);
    return;
  }
  if (const auto row = node.rows.find(pair.key); row != node.rows.end()) {
    if (row->second.pair == pair) {
      node.dirty.insert(pair.key);
      return;
    }
    Erase(origin, pair.key);
  }
  owners_[pair.key] = origin;
  node.rows[pair.key] = {.pair = pair, .verdict = std::nullopt};
  callers_[pair.endpoint].insert(pair.key);
  Rejudge(pair.key);
}

void EndpointTable::Erase(Origin origin, const KeyId& key) {
  const auto node = nodes_.find(origin);
  if (node == nodes_.end()) return;
  const auto found = node->second.rows.find(key);
  if (found == node->second.rows.end()) return;
  const auto owner = owners_.find(key);
  if (owner != owners_.end() && owner->second == origin) {
    owners_.erase(owner);
    const auto at = callers_.find(found->second.pair.endpoint);
    at->second.erase(key);
    if (Guard* guard = GuardAt(at->first)) guard->dirty.insert(key);
    if (at->second.empty()) callers_.erase(at);
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
  const auto found = nodes_.find(origin);
  if (found == nodes_.end()) return told;
  Node& node = found->second;
  while (!node.surplus.empty() && told.size() < kAdmissionsMax) {
    told.push_back(std::move(node.surplus.back()));
    node.surplus.pop_back();
  }
  while (!node.dirty.empty() && told.size() < kAdmissionsMax) {
    const KeyId key = *node.dirty.begin();
    node.dirty.erase(node.dirty.begin());
    const auto row = node.rows.find(key);
    if (row == node.rows.end() || !row->second.verdict) continue;
    if (!row->second.verdict->ok()) {
      told.push_back({key, *row->second.verdict, {}, {}});
    } else if (row->second.admitted) {
      const GuardedEndpoint& served = GuardAt(row->second.pair.endpoint)->served;
      told.push_back({key, absl::OkStatus(), served.keys, served.certificates});
    }
  }
  return told;
}

void EndpointTable::HandleOrigin(Origin origin) {
  Node& node = nodes_[origin];
  node.unlinked_until = Instant::max();
  for (const auto& [key, row] : node.rows) node.dirty.insert(key);
}

void EndpointTable::HandleOriginEnd(Origin origin, Instant now) {
  const auto node = nodes_.find(origin);
  if (node != nodes_.end()) node->second.unlinked_until = now + kOriginGrace;
}

void EndpointTable::Forget(Origin origin) {
  Retain(origin, {});
  nodes_.erase(origin);
}

void EndpointTable::SetLiving(const std::vector<NodeKey>& living, Instant now) {
  std::set<Origin> listed;
  for (const NodeKey& each : living) {
    if (each.fingerprint) listed.insert(*each.fingerprint);
  }
  for (auto& [origin, node] : nodes_) {
    if (listed.contains(origin)) {
      node.unlisted_until = Instant::max();
    } else if (node.unlisted_until == Instant::max()) {
      node.unlisted_until = now + kUnlistedGrace;
    }
  }
}

std::vector<EndpointTable::GuardId> EndpointTable::SetRules(std::shared_ptr<const Rules> rules) {
  policy_.SetRules(std::move(rules));
  return RejudgeServing();
}

std::vector<EndpointTable::GuardId> EndpointTable::SetHordes(registry::Hordes hordes) {
  if (policy_.hordes() == hordes) return {};
  policy_.SetHordes(std::move(hordes));
  return RejudgeServing();
}

std::vector<EndpointTable::GuardId> EndpointTable::RejudgeServing() {
  refused_.clear();  // whoever may serve now comes again
  std::vector<GuardId> refused;
  for (const auto& [id, guard] : guards_) {
    const absl::Status allowed = policy_.MayServe(guard.served);
    if (allowed.ok()) continue;
    refused.push_back(id);
    refused_[guard.served.endpoint] = allowed;
  }
  for (const GuardId id : refused) HandleGuardEnd(id);
  RejudgeAll();
  return refused;
}

void EndpointTable::SetRevoked(const Revoked& revoked) {
  if (policy_.revoked() == revoked) return;
  const std::set<KeyId> before = policy_.revoked().keys;
  const bool same_nodes = policy_.revoked().nodes == revoked.nodes;
  policy_.SetRevoked(revoked);
  if (!same_nodes) return RejudgeAll();
  std::vector<KeyId> changed;
  std::ranges::set_symmetric_difference(before, revoked.keys, std::back_inserter(changed));
  for (const KeyId& key : changed) {
    Rejudge(key);
    for (const auto& [id, guard] : guards_) {
      if (std::ranges::count(guard.served.keys, key) > 0) RejudgeAt(guard.served.endpoint);
    }
  }
}

void EndpointTable::SetCutOff(bool cut_off) {
  if (policy_.cut_off() == cut_off) return;
  policy_.SetCutOff(cut_off);
  RejudgeAll();
}

std::vector<EndpointTable::Origin> EndpointTable::HandleTimeout(Instant now) {
  std::vector<Origin> over;
  for (const auto& [origin, node] : nodes_) {
    if (now >= node.forgotten_at()) over.push_back(origin);
  }
  for (const Origin origin : over) Forget(origin);
  all_known_ = all_known_ || now >= began_ + kAllKnownAfter;
  if (!guards_known_ && now >= began_ + kGuardsKnownAfter) {
    guards_known_ = true;
    RejudgeAll();
  }
  return over;
}

Instant EndpointTable::NextTimeout() const {
  Instant next = Instant::max();
  if (!guards_known_) {
    next = began_ + kGuardsKnownAfter;
  } else if (!all_known_) {
    next = began_ + kAllKnownAfter;
  }
  for (const auto& [origin, node] : nodes_) next = std::min(next, node.forgotten_at());
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
    if (!node.dirty.empty() || !node.surplus.empty()) origins.push_back(origin);
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

std::optional<absl::Status> EndpointTable::Judge(Origin origin, const Pair& pair) const {
  const auto at = by_endpoint_.find(pair.endpoint);
  if (at == by_endpoint_.end()) {
    const auto refused = refused_.find(pair.endpoint);
    if (refused != refused_.end()) return refused->second;
    // One that has not told of itself since this reeve began may do so yet.
    if (!guards_known_) return std::nullopt;
    return absl::NotFoundError(absl::StrCat("nothing is served at ", pair.endpoint.ToString()));
  }
  absl::Status judged = policy_.MayCall(origin, pair, guards_.at(at->second).served);
  if (absl::IsUnavailable(judged)) return std::nullopt;
  return judged;
}

// Decides about a key anew, and notes who is to be told of it.
void EndpointTable::Rejudge(const KeyId& key) {
  Row* const row = Find(key);
  if (row == nullptr) return;
  const Origin origin = owners_.at(key);
  std::optional<absl::Status> judged = Judge(origin, row->pair);
  const bool changed = row->verdict != judged;
  row->verdict = std::move(judged);
  Guard* const guard = GuardAt(row->pair.endpoint);
  if (row->allowed()) {
    if (row->sent_in == 0) guard->dirty.insert(key);
    return;
  }
  // What its endpoint was told before is to be taken back, once it is known that it is wrong.
  if (guard != nullptr && row->verdict && changed) guard->dirty.insert(key);
  row->sent_in = 0;
  row->admitted = false;
  if (changed && row->verdict) nodes_.at(origin).dirty.insert(key);
}

void EndpointTable::RejudgeAt(const Endpoint& endpoint) {
  for (const KeyId& key : KeysAt(endpoint)) Rejudge(key);
}

const std::set<KeyId>& EndpointTable::KeysAt(const Endpoint& endpoint) const {
  static const std::set<KeyId> none;
  const auto at = callers_.find(endpoint);
  return at == callers_.end() ? none : at->second;
}

void EndpointTable::RejudgeAll() {
  for (const auto& [key, origin] : owners_) Rejudge(key);
}

}  // namespace radix::trust
