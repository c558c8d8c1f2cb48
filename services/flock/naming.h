// Who is called what: whom to ask for its name, and when; and who must not share one.

#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/confab/time.h"
#include "services/flock/introduction.h"
#include "services/flock/member.h"

namespace radix::flock {

// The names of all members, each learnt once per boot from the member itself. While members come
// one after another nobody is asked: to know who is there goes first. Asking is paced, so that a
// node that joins thousands does not flood them. Decides and remembers, sends nothing. Not
// thread-safe.
class Naming {
 public:
  static constexpr Duration kQuiet = 1s;          // that nobody came, before somebody is asked
  static constexpr Duration kQuietMost = 5s;      // from when all had names; then it asks anyway
  static constexpr Duration kAskInterval = 10ms;  // between two members, on average
  static constexpr Duration kAskBurst = 320ms;    // of it may be used at once
  static constexpr Duration kRetryFirst = 2s;     // the same member again; doubles
  static constexpr Duration kRetryMost = 32s;

  // Knows only itself.
  Naming(const MemberId& self, Introduction own);

  // `member` is there: will be asked when it is quiet, unless its name is known. Harmless when
  // repeated.
  void HandleLive(const MemberId& member, Instant now);
  // `member` is dead or left: will not be asked any more. Its name stays known.
  void HandleGone(const MemberId& member);
  // These are all whom flock knows: forgets the others, and catches up with them.
  void Reconcile(const std::vector<MemberView>& members, Instant now);

  // Takes the next member to ask now, if there is one; it comes again when it does not answer.
  std::optional<MemberId> PollRequest(Instant now);
  // When PollRequest next has something; Instant::max() for never.
  Instant NextTimeout() const;

  // `member` says this of itself. Returns another live member, of another machine, that had that
  // name first: a mistake that only a person can settle. Of a member that is not known: ignored.
  std::optional<MemberId> HandleIntroduction(const MemberId& member, Introduction introduction);

  // What `member` said of itself; nullptr when it is not known.
  const Introduction* Find(const MemberId& member) const;

  // The name of `member`, also of one that is forgotten, if it was one of the last kFormerMax that
  // were; empty when it is not known.
  static constexpr std::size_t kFormerMax = 1024;
  std::string NameOf(const MemberId& member) const;
  // The name of whoever is, or was last, at `slot`; empty when it is not known.
  std::string NameAt(std::uint32_t slot) const;
  // The slot of the live member called `name`; otherwise of the last one that was.
  std::optional<std::uint32_t> SlotOf(const std::string& name) const;
  // How many live members have not said yet what they are called.
  std::size_t unnamed_count() const { return queue_.size(); }

 private:
  struct Entry {
    bool live = true;
    std::optional<Introduction> introduction;
    Instant ask_at{};
    Duration wait = kRetryFirst;
  };

  void Unqueue(const MemberId& member, const Entry& entry) { queue_.erase({entry.ask_at, member}); }
  void Forget(std::map<MemberId, Entry>::iterator place);

  std::map<MemberId, Entry> entries_;
  std::set<std::pair<Instant, MemberId>> queue_;         // exactly the live without a name
  std::map<std::string, MemberId> holders_;              // who had a name first
  std::deque<std::pair<MemberId, std::string>> former_;  // of the forgotten; oldest first
  Instant paced_until_{};
  Instant unnamed_since_{};  // when the queue was empty last
};

}  // namespace radix::flock
