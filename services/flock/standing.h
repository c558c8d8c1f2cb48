// Who stands for leadership: the few that keep in direct contact with everybody.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/member_table.h"
#include "services/flock/ranking.h"
#include "services/flock/revocations.h"

namespace radix::flock {

// A candidate needs a quorum that it hears directly, which costs pings to everybody; so only the
// first-ranked few stand. One that ranks before us but does not count a quorum within our hearing
// for 3 s is passed over, and the next ones stand up: so a connected majority gets its leader
// however the first-ranked are cut off. At most kWatched are ever considered. Not thread-safe.
class Standing {
 public:
  static constexpr std::size_t kWatched = 16;

  Standing(const Tunables& tunables, const Ranking& ranking, std::uint32_t quorum,
           const MemberId& self);

  // Members of these keys rank nowhere.
  void SetRevoked(const Revocations& revoked);

  // The key in use was minted by `minter`. Keys spread sooner than lists, and the first-ranked
  // mints the one that all will use: so who ranks before it learns of it before it is listed.
  void HearOf(const MemberId& minter, Instant now);

  // Looks at the table. While a sealed `leader` works nobody is passed over.
  void Update(const MemberTable& members, const std::optional<MemberId>& leader, Instant now);

  bool stands() const { return stands_; }
  // Whether the bloc is so small that everybody does.
  bool all_stand() const { return all_stand_; }
  // Whether it is one of the kWatched that rank first.
  bool IsWatched() const { return is_watched_; }
  // Whether it may soon be this node that asks for leases, so that it has to hear everybody by
  // then. Otherwise it is enough to know them: the sealed leader is heard, or who ranks before is.
  bool hurries() const { return hurries_; }
  // The slots of those that rank first, at most kWatched, itself included: whether they are there
  // decides who stands up.
  std::vector<std::uint32_t> FirstRanked() const;
  // The live member that ranks first; this node if all of them were revoked.
  const MemberId& first() const { return first_; }

 private:
  struct Watched {
    std::uint64_t rank = 0;
    MemberId id;
    Instant unfit_since;
  };

  bool IsHeard(const MemberTable& members, const MemberId& id, Instant now) const;
  // Follows what changed in the table.
  void Track(const MemberTable& members, Instant now);
  // Ranks those that were not looked at yet.
  void Consider(const MemberTable& members, Instant now);

  Tunables tunables_;
  Ranking ranking_;
  std::uint32_t quorum_;
  MemberId self_;
  Revocations revoked_;
  std::vector<Watched> watched_;  // by rank
  Watched minter_;                // unfit, until it is listed, since it was heard of
  MemberId first_;
  std::optional<std::uint64_t> ranked_view_;
  // Of the table, when it was last ranked as a whole; nullopt: it must be.
  std::optional<std::uint64_t> upheavals_;
  std::size_t considered_ = 0;  // members of the table, from the first one on
  bool is_watched_ = false;
  bool stands_ = false;
  bool all_stand_ = false;
  bool hurries_ = false;
  std::optional<Instant> began_;
};

}  // namespace radix::flock
