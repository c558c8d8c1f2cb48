#include "services/trust/pair_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace radix::trust {

void PairTable::HandlePair(CallerId caller, const Pair& pair) {
  if (const auto known = rows_.find(pair.key); known != rows_.end()) {
    if (known->second.caller == caller && known->second.pair == pair) return;
    return Refuse(caller, pair.key,
                  absl::AlreadyExistsError("the key has another purpose already"));
  }
  std::set<KeyId>& keys = callers_[caller];
  if (keys.size() >= kPairsMax) {
    return Refuse(caller, pair.key,
                  absl::ResourceExhaustedError(
                      absl::StrCat("one process may call with ", kPairsMax, " keys at most")));
  }
  keys.insert(pair.key);
  Row& row = rows_[pair.key] = {.pair = pair, .caller = caller, .admission = std::nullopt};
  Node& node = nodes_[pair.endpoint.ip];
  node.keys.insert(pair.key);
  node.dirty.insert(pair.key);
  Judge(pair.key, row);
}

// What was revoked is refused here; the endpoint's node may be the one that was.
void PairTable::Judge(const KeyId& key, Row& row) {
  const bool node = revoked_nodes_.contains(row.pair.endpoint.ip);
  const bool endpoint =
      row.admission && std::ranges::any_of(row.admission->endpoint_keys, [&](const KeyId& each) {
        return revoked_keys_.contains(each);
      });
  const bool was = std::exchange(row.revoked, node || endpoint);
  if (row.revoked) {
    if (was) return;
    row.admission = Admission{key,
                              absl::PermissionDeniedError(node ? "the endpoint's node was revoked"
                                                               : "the endpoint's key was revoked"),
                              {},
                              {}};
    answered_[row.caller].insert(key);
  } else if (was) {
    // Another node may have that address now, or the endpoint another key: it is asked again.
    row.admission.reset();
    nodes_.at(row.pair.endpoint.ip).dirty.insert(key);
  }
}

void PairTable::SetRevoked(std::set<IpAddress> nodes, std::set<KeyId> keys) {
  if (nodes == revoked_nodes_ && keys == revoked_keys_) return;
  revoked_nodes_ = std::move(nodes);
  revoked_keys_ = std::move(keys);
  for (auto& [key, row] : rows_) Judge(key, row);
}

// Who asks for more than it may is not told of everything.
void PairTable::Refuse(CallerId caller, const KeyId& key, const absl::Status& why) {
  std::vector<Admission>& refused = refused_[caller];
  if (refused.size() < kPairsMax) refused.push_back({key, why, {}, {}});
}

void PairTable::HandleGone(CallerId caller, const KeyId& key) {
  const auto row = rows_.find(key);
  if (row != rows_.end() && row->second.caller == caller) Erase(key);
}

void PairTable::HandleCallerEnd(CallerId caller) {
  if (const auto found = callers_.find(caller); found != callers_.end()) {
    for (const KeyId& key : std::set<KeyId>(found->second)) Erase(key);
  }
  callers_.erase(caller);
  answered_.erase(caller);
  refused_.erase(caller);
}

void PairTable::Erase(const KeyId& key) {
  const auto row = rows_.find(key);
  const auto place = nodes_.find(row->second.pair.endpoint.ip);
  Node& node = place->second;
  node.keys.erase(key);
  // A new link begins with all that there are.
  if (node.linked) {
    node.dirty.insert(key);
  } else {
    node.dirty.erase(key);
  }
  if (node.keys.empty() && !node.met) nodes_.erase(place);
  callers_.at(row->second.caller).erase(key);
  rows_.erase(row);
}

std::vector<Admission> PairTable::AdmissionsFor(CallerId caller) {
  std::vector<Admission> told;
  if (const auto refused = refused_.find(caller); refused != refused_.end()) {
    while (!refused->second.empty() && told.size() < kAdmissionsMax) {
      told.push_back(std::move(refused->second.back()));
      refused->second.pop_back();
    }
    if (refused->second.empty()) refused_.erase(refused);
  }
  const auto answered = answered_.find(caller);
  if (answered == answered_.end()) return told;
  std::set<KeyId>& keys = answered->second;
  while (!keys.empty() && told.size() < kAdmissionsMax) {
    const auto row = rows_.find(*keys.begin());
    if (row != rows_.end() && row->second.admission) told.push_back(*row->second.admission);
    keys.erase(keys.begin());
  }
  if (keys.empty()) answered_.erase(answered);
  return told;
}

std::optional<PairTable::Announcement> PairTable::AnnouncementFor(const IpAddress& address) {
  const auto found = nodes_.find(address);
  if (found == nodes_.end()) return std::nullopt;
  Node& node = found->second;
  Announcement announcement;
  while (!node.dirty.empty() && announcement.pairs.size() < kAnnouncementMax) {
    const KeyId key = *node.dirty.begin();
    node.dirty.erase(node.dirty.begin());
    if (const auto row = rows_.find(key); row != rows_.end()) {
      announcement.pairs.push_back(row->second.pair);
    } else {
      announcement.gone.push_back(key);
    }
  }
  announcement.complete = !node.told_all && callers_known_ && node.dirty.empty();
  node.told_all = node.told_all || announcement.complete;
  if (announcement.pairs.empty() && announcement.gone.empty() && !announcement.complete) {
    return std::nullopt;
  }
  return announcement;
}

void PairTable::HandleLink(const IpAddress& address) {
  Node& node = nodes_[address];
  node.linked = node.met = true;
  node.told_all = false;
  node.dirty = node.keys;
}

void PairTable::HandleLinkEnd(const IpAddress& address, bool orderly) {
  const auto node = nodes_.find(address);
  if (node == nodes_.end()) return;
  node->second.linked = false;
  const bool over =
      orderly && node->second.told_all && node->second.keys.empty() && node->second.dirty.empty();
  if (over) {
    nodes_.erase(node);
  } else {
    node->second.told_all = false;
  }
}

void PairTable::HandleAdmission(const IpAddress& node, const Admission& admission) {
  const auto row = rows_.find(admission.key);
  // Only the endpoint's own node has a say.
  if (row == rows_.end() || row->second.pair.endpoint.ip != node) return;
  row->second.admission = admission;
  row->second.revoked = false;
  answered_[row->second.caller].insert(admission.key);
  Judge(admission.key, row->second);
}

void PairTable::SetLiving(const std::set<IpAddress>& living) {
  living_ = living;
  std::erase_if(nodes_, [&](const auto& each) {
    return each.second.keys.empty() && !living.contains(each.first);
  });
}

std::vector<IpAddress> PairTable::Nodes() const {
  std::vector<IpAddress> nodes;
  for (const auto& [address, node] : nodes_) {
    if (living_ && !living_->contains(address)) continue;
    if (!node.keys.empty() || !node.dirty.empty() || !node.told_all) nodes.push_back(address);
  }
  return nodes;
}

std::vector<PairTable::CallerId> PairTable::CallersToTell() const {
  std::vector<CallerId> callers;
  for (const auto& [caller, keys] : answered_) callers.push_back(caller);
  for (const auto& [caller, refused] : refused_) {
    if (!answered_.contains(caller)) callers.push_back(caller);
  }
  return callers;
}

void PairTable::HandleTimeout(Instant now) {
  callers_known_ = callers_known_ || now >= began_ + kCallersKnownAfter;
}

std::vector<PairTable::Listed> PairTable::List() const {
  std::vector<Listed> list;
  for (const auto& [key, row] : rows_) list.push_back({row.pair, row.admission});
  return list;
}

}  // namespace radix::trust
