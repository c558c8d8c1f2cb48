#include "services/flock/standing.h"

#include <algorithm>
#include <utility>

namespace radix::flock {
namespace {

constexpr Duration kPassedOverAfter = 3s;

}  // namespace

Standing::Standing(const Tunables& tunables, const Ranking& ranking, const MemberId& self)
    : tunables_(tunables), ranking_(ranking), self_(self), first_(self) {}

void Standing::Rank(const MemberTable& members, Instant now) {
  std::vector<Watched> ranked;
  ranked.reserve(kWatched + 1);
  const auto before = [](const Watched& a, const Watched& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.id < b.id;
  };
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Member& member = members.at(i);
    if (!IsLive(member.state)) continue;
    const Watched entry{ranking_.Of(member.id()), member.id(), now};
    if (ranked.size() == kWatched && !before(entry, ranked.back())) continue;
    ranked.insert(std::upper_bound(ranked.begin(), ranked.end(), entry, before), entry);
    if (ranked.size() > kWatched) ranked.pop_back();
  }
  for (Watched& entry : ranked) {
    const auto known =
        std::ranges::find_if(watched_, [&](const Watched& w) { return w.id == entry.id; });
    if (known != watched_.end()) entry.unfit_since = known->unfit_since;
  }
  watched_ = std::move(ranked);
  first_ = watched_.empty() ? self_ : watched_.front().id;
}

void Standing::Update(const MemberTable& members, bool leader_known, Instant now) {
  if (ranked_view_ != members.view_hash()) {
    ranked_view_ = members.view_hash();
    Rank(members, now);
  }
  std::uint32_t ahead = 0;
  bool watched = false;
  for (Watched& entry : watched_) {
    if (entry.id == self_) {
      watched = true;
      break;
    }
    const Member* const member = members.Find(entry.id.slot);
    bool fit = false;
    if (member != nullptr && member->id() == entry.id) {
      const Contact& contact = members.ContactOf(*member);
      fit = now - contact.heard_at < tunables_.contact_timeout &&
            (contact.beat_flags & Beat::kCountsQuorum) != 0;
    }
    if (fit || leader_known) entry.unfit_since = now;
    if (now - entry.unfit_since < kPassedOverAfter) ++ahead;
  }
  stands_ = members.live_count() <= tunables_.standing_all_below ||
            (watched && ahead < tunables_.standing);
}

}  // namespace radix::flock
