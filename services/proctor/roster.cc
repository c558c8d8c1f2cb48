#include "services/proctor/roster.h"

#include <algorithm>
#include <utility>

namespace radix::proctor {

void Roster::Begin(Instant now) {
  if (!began_at_) began_at_ = now;
}

std::uint64_t Roster::FingerprintAt(const std::string& address) const {
  const auto found = fingerprints_.find(address);
  return found == fingerprints_.end() ? 0 : found->second;
}

bool Roster::SetFingerprints(std::map<std::string, std::uint64_t> fingerprints) {
  fingerprints_ = std::move(fingerprints);
  bool changed = false;
  for (auto& [address, entry] : entries_) {
    const std::uint64_t fingerprint = FingerprintAt(address);
    if (fingerprint == 0 || fingerprint == entry.view.fingerprint) continue;
    entry.view.fingerprint = fingerprint;
    changed = true;
  }
  return changed;
}

void Roster::Connect(const std::string& address, const std::string& name,
                     std::vector<std::string> labels, std::vector<Plugin> plugins, Instant now) {
  View(now);  // forgets whoever is over, so that a name gets free
  const auto known = entries_.find(address);
  const bool same = known != entries_.end() && known->second.name == name;
  const bool held = !IsSettled(now) &&
                    std::any_of(plugins.begin(), plugins.end(),
                                [](const Plugin& plugin) { return IsOfManifest(plugin.spec); });
  Entry entry;
  entry.name = name;
  entry.view = {.connected = true, .labels = std::move(labels), .plugins = std::move(plugins)};
  if (const std::uint64_t fingerprint = FingerprintAt(address); fingerprint != 0) {
    entry.view.fingerprint = fingerprint;
  } else if (same) {
    entry.view.fingerprint = known->second.view.fingerprint;
  }
  entry.order = same ? known->second.order : std::pair(!held, next_order_++);
  entries_[address] = std::move(entry);
}

void Roster::Report(const std::string& address, std::vector<Plugin> plugins,
                    std::vector<std::string> errors) {
  const auto found = entries_.find(address);
  if (found == entries_.end() || found->second.lost_at) return;
  found->second.view.plugins = std::move(plugins);
  found->second.view.errors = std::move(errors);
}

void Roster::Disconnect(const std::string& address, Instant now) {
  const auto found = entries_.find(address);
  if (found == entries_.end() || found->second.lost_at) return;
  found->second.lost_at = now;
  found->second.view.connected = false;
}

bool Roster::IsSettled(Instant now) {
  if (settled_ || !began_at_) return settled_;
  const bool all =
      std::all_of(expected_.begin(), expected_.end(), [this](const std::string& address) {
        const auto found = entries_.find(address);
        return found != entries_.end() && !found->second.lost_at;
      });
  settled_ = (all && !expected_.empty()) || now >= *began_at_ + settle_;
  return settled_;
}

Nodes Roster::View(Instant now) {
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.lost_at && now >= *entry.second.lost_at + grace_;
  });
  std::map<std::string, const Entry*> first;
  for (const auto& [address, entry] : entries_) {
    const Entry*& holder = first[entry.name];
    if (holder == nullptr || entry.order < holder->order) holder = &entry;
  }
  Nodes nodes;
  for (const auto& [name, entry] : first) nodes[name] = entry->view;
  return nodes;
}

std::optional<Instant> Roster::NextTimeout() const {
  std::optional<Instant> next;
  if (began_at_ && !settled_) next = *began_at_ + settle_;
  for (const auto& [address, entry] : entries_) {
    if (entry.lost_at && (!next || *entry.lost_at + grace_ < *next)) next = *entry.lost_at + grace_;
  }
  return next;
}

std::string Roster::NameAt(const std::string& address) const {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return "";
  for (const auto& [other, entry] : entries_) {
    if (entry.name == found->second.name && entry.order < found->second.order) return "";
  }
  return found->second.name;
}

}  // namespace radix::proctor
