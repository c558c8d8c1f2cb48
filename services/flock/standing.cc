#include "services/flock/standing.h"

#include <algorithm>
#include <utility>

namespace radix::flock {
namespace {

constexpr Duration kPassedOverAfter = 3s;
// Who ranks first pings everybody it learns of; until then it is only known.
constexpr Duration kFirstWordWithin = 1500ms;
// A node that boots learns in this time who ranks before it.
constexpr Duration kNewcomer = 1s;

}  // namespace

Standing::Standing(const Tunables& tunables, const Ranking& ranking, std::uint32_t quorum,
                   const MemberId& self)
    : tunables_(tunables),
      ranking_(ranking),
      quorum_(quorum),
      self_(self),
      minter_{0, self, kNever},
      first_(self) {}

void Standing::SetRevoked(const Revocations& revoked) {
  revoked_ = revoked;
  ranked_view_.reset();
  upheavals_.reset();
}

void Standing::Consider(const MemberTable& members, Instant now) {
  const auto before = [](const Watched& a, const Watched& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.id < b.id;
  };
  for (; considered_ < members.size(); ++considered_) {
    const Member& member = members.at(considered_);
    if (!IsLive(member.state) || revoked_.Contains(member.fingerprint)) continue;
    const Watched entry{ranking_.Of(member.id()), member.id(), now};
    if (watched_.size() == kWatched && !before(entry, watched_.back())) continue;
    watched_.insert(std::upper_bound(watched_.begin(), watched_.end(), entry, before), entry);
    if (watched_.size() > kWatched) watched_.pop_back();
  }
}

void Standing::Track(const MemberTable& members, Instant now) {
  if (ranked_view_ == members.view_hash()) return;
  ranked_view_ = members.view_hash();
  // Mostly somebody was added, or somebody died who was far behind: then the rest is as it was.
  const bool as_it_was =
      upheavals_ == members.upheavals() && std::ranges::all_of(watched_, [&](const Watched& entry) {
        return IsLive(members.Find(entry.id.slot)->state);
      });
  if (as_it_was) {
    Consider(members, now);
  } else {
    upheavals_ = members.upheavals();
    considered_ = 0;
    const std::vector<Watched> earlier = std::exchange(watched_, {});
    Consider(members, now);
    for (Watched& entry : watched_) {
      const auto known = std::ranges::find(earlier, entry.id, &Watched::id);
      if (known != earlier.end()) entry.unfit_since = known->unfit_since;
    }
  }
  first_ = watched_.empty() ? self_ : watched_.front().id;
}

bool Standing::IsHeard(const MemberTable& members, const MemberId& id, Instant now) const {
  const Member* const member = members.Find(id.slot);
  return member != nullptr && member->id() == id &&
         now - members.ContactOf(*member).heard_at < tunables_.contact_timeout;
}

void Standing::HearOf(const MemberId& minter, Instant now) {
  if (minter != minter_.id) minter_ = {ranking_.Of(minter), minter, now};
}

void Standing::Update(const MemberTable& members, const std::optional<MemberId>& leader,
                      Instant now) {
  Track(members, now);
  if (!began_) began_ = now;
  all_stand_ =
      members.live_count() >= quorum_ && members.live_count() <= tunables_.standing_all_below;
  is_watched_ = std::ranges::count(watched_, self_, &Watched::id) > 0;
  if (!is_watched_) {
    // Should it become one of them, it gives those before it their time from then on.
    for (Watched& entry : watched_) entry.unfit_since = now;
    stands_ = hurries_ = false;
    return;
  }
  std::uint32_t ahead = 0;
  bool others_turn =
      ranking_.Before(minter_.id, self_) && now - minter_.unfit_since < kFirstWordWithin;
  for (Watched& entry : watched_) {
    if (entry.id == self_) break;
    const bool heard = IsHeard(members, entry.id, now);
    const bool fit =
        heard && (members.ContactOf(*members.Find(entry.id.slot)).beat_flags & Beat::kCountsQuorum);
    if (fit || leader) entry.unfit_since = now;
    if (now - entry.unfit_since >= kPassedOverAfter) continue;
    ++ahead;
    others_turn = others_turn || heard || now - entry.unfit_since < kFirstWordWithin;
  }
  // Who knows less than a quorum is new, or cannot lead whoever answers it.
  stands_ = all_stand_ || (members.live_count() >= quorum_ && ahead < tunables_.standing);
  hurries_ =
      now - *began_ >= kNewcomer && (leader ? !IsHeard(members, *leader, now) : !others_turn);
}

std::vector<std::uint32_t> Standing::FirstRanked() const {
  std::vector<std::uint32_t> slots;
  for (const Watched& entry : watched_) slots.push_back(entry.id.slot);
  return slots;
}

}  // namespace radix::flock
