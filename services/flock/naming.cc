#include "services/flock/naming.h"

#include <algorithm>

namespace radix::flock {

Naming::Naming(const MemberId& self, Introduction own) {
  holders_.emplace(own.name, self);
  entries_[self].introduction = std::move(own);
}

void Naming::HandleLive(const MemberId& member, Instant now) {
  const auto [place, added] = entries_.try_emplace(member);
  Entry& entry = place->second;
  if (!added && entry.live) return;
  entry.live = true;
  entry.wait = kRetryFirst;
  if (entry.introduction) return;
  if (queue_.empty()) unnamed_since_ = now;
  paced_until_ = std::max(paced_until_, std::min(now + kQuiet, unnamed_since_ + kQuietMost));
  entry.ask_at = now;
  queue_.insert({entry.ask_at, member});
}

void Naming::HandleGone(const MemberId& member) {
  const auto place = entries_.find(member);
  if (place == entries_.end()) return;
  Unqueue(member, place->second);
  place->second.live = false;
}

void Naming::Forget(std::map<MemberId, Entry>::iterator place) {
  Unqueue(place->first, place->second);
  if (place->second.introduction) {
    const auto holder = holders_.find(place->second.introduction->name);
    if (holder != holders_.end() && holder->second == place->first) holders_.erase(holder);
    if (former_.size() == kFormerMax) former_.pop_front();
    former_.emplace_back(place->first, std::move(place->second.introduction->name));
  }
  entries_.erase(place);
}

void Naming::Reconcile(const std::vector<MemberView>& members, Instant now) {
  std::set<MemberId> known;
  for (const MemberView& member : members) {
    known.insert(member.id);
    if (IsLive(member.state)) {
      HandleLive(member.id, now);
    } else {
      HandleGone(member.id);
    }
  }
  for (auto place = entries_.begin(); place != entries_.end();) {
    const auto next = std::next(place);
    if (!known.contains(place->first)) Forget(place);
    place = next;
  }
}

std::optional<MemberId> Naming::PollRequest(Instant now) {
  if (now < NextTimeout()) return std::nullopt;
  const MemberId member = queue_.begin()->second;
  queue_.erase(queue_.begin());
  Entry& entry = entries_.at(member);
  entry.ask_at = now + entry.wait;
  entry.wait = std::min(2 * entry.wait, kRetryMost);
  queue_.insert({entry.ask_at, member});
  paced_until_ = std::max(paced_until_, now - kAskBurst) + kAskInterval;
  return member;
}

Instant Naming::NextTimeout() const {
  return queue_.empty() ? Instant::max() : std::max(queue_.begin()->first, paced_until_);
}

std::optional<MemberId> Naming::HandleIntroduction(const MemberId& member,
                                                   Introduction introduction) {
  const auto place = entries_.find(member);
  if (place == entries_.end() || place->second.introduction) return std::nullopt;
  Unqueue(member, place->second);
  const auto [holder, first] = holders_.try_emplace(introduction.name, member);
  place->second.introduction = std::move(introduction);
  if (first) return std::nullopt;
  const auto other = entries_.find(holder->second);
  if (other != entries_.end() && other->second.live && other->first.slot != member.slot) {
    return other->first;
  }
  holder->second = member;
  return std::nullopt;
}

const Introduction* Naming::Find(const MemberId& member) const {
  const auto place = entries_.find(member);
  if (place == entries_.end() || !place->second.introduction) return nullptr;
  return &*place->second.introduction;
}

std::string Naming::NameOf(const MemberId& member) const {
  if (const Introduction* const introduction = Find(member)) return introduction->name;
  const auto former = std::find_if(former_.rbegin(), former_.rend(),
                                   [&](const auto& each) { return each.first == member; });
  return former == former_.rend() ? "" : former->second;
}

std::string Naming::NameAt(std::uint32_t slot) const {
  std::string name;
  for (auto at = entries_.lower_bound({slot, 0}); at != entries_.end() && at->first.slot == slot;
       ++at) {
    if (at->second.introduction && (name.empty() || at->second.live)) {
      name = at->second.introduction->name;
    }
  }
  if (!name.empty()) return name;
  const auto former = std::find_if(former_.rbegin(), former_.rend(),
                                   [&](const auto& each) { return each.first.slot == slot; });
  return former == former_.rend() ? "" : former->second;
}

std::optional<std::uint32_t> Naming::SlotOf(const std::string& name) const {
  std::optional<std::uint32_t> gone;
  for (const auto& [member, entry] : entries_) {
    if (!entry.introduction || entry.introduction->name != name) continue;
    if (entry.live) return member.slot;
    gone = member.slot;
  }
  if (gone) return gone;
  const auto former = std::find_if(former_.rbegin(), former_.rend(),
                                   [&](const auto& each) { return each.second == name; });
  if (former == former_.rend()) return std::nullopt;
  return former->first.slot;
}

}  // namespace radix::flock
