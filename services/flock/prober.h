// Noticing failure: direct probes, then through others, then by the door.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/confab/random.h"
#include "services/confab/time.h"
#include "services/flock/config.h"
#include "services/flock/event.h"
#include "services/flock/member_table.h"

namespace radix::flock {

// What the prober wants done.
struct ProbeStep {
  enum class Kind : std::uint8_t {
    kDirect,    // ping `target`
    kIndirect,  // ping `target`, and ask others to ping it
    kDoor,      // ping `target`, ask others, and say HELLO: perhaps only the keys differ
    kAccuse,    // `target` did not answer
    kRelayed,   // ping `target` for somebody else
    kReport,    // tell `target`, who had asked for it, that there was no answer to `sequence`
  };
  Kind kind = Kind::kDirect;
  MemberId target;
  std::uint32_t sequence = 0;
  Witnesses probes;       // with kAccuse: through whom it was tried
  bool confirms = false;  // it was asked for by Confirm
};

// One member is probed per interval, the longest unheard of a few random ones; whatever is heard
// from it answers the probe. An unanswered probe is tried three times, the second and third time
// through others as well. A node whose probes fail while its relays are silent too grows slower in
// its verdicts (Lifeguard's local health), so that a sick node does not get its neighbours
// expelled. When others have no answer either, those at the addresses beside are probed at once:
// what fails together often stands in one rack. Not thread-safe.
//
// Sources: Das, Gupta and Motivala, "SWIM", DSN 2002; Dadgar, Phillips and Currey, "Lifeguard",
// DSN-W 2018.
class Prober {
 public:
  Prober(const Tunables& tunables, Instant now, Random& random);

  // The next thing to do, if one is due; call until it returns nothing.
  std::optional<ProbeStep> Poll(const MemberTable& members, std::uint32_t self, Instant now,
                                Random& random);

  // Somebody suspects `target`: sees for itself at once, direct and through others. At most
  // kConfirmationsMax are under way. Requires: confirmations_left() > 0.
  static constexpr std::size_t kConfirmationsMax = 512;
  void Confirm(const MemberId& target, Instant now);
  std::size_t confirmations_left() const;

  // `target`, or a boot that is said to have replaced it, was asked just now: probes it, if it is
  // still listed and was not heard when that had time to answer; if few probes are under way.
  void LookAt(const MemberId& target, Instant now);

  // `from` answered the probe `sequence`. If it was made for somebody else, returns to whom, and
  // under which sequence, the answer is to be reported.
  std::optional<ProbeStep> HandleAck(const MemberId& from, std::uint32_t sequence);
  // `relay` (a slot) was asked to help with our probe `sequence`.
  void NoteRelay(std::uint32_t sequence, std::uint32_t relay);
  // A relay reports on our probe `sequence`.
  void HandleReport(std::uint32_t sequence, bool answered);
  // `requester` asks for a probe of `target`. At most kRelaysMax are under way.
  static constexpr std::size_t kRelaysMax = 64;
  void HandleRequest(const MemberId& requester, const MemberId& target, std::uint32_t sequence,
                     Instant now);

  // Drops all verdicts under way: this node was away.
  void Restart(Instant now);

  // A sequence for a ping that is not a probe.
  std::uint32_t NextSequence() { return ++sequence_; }
  Instant next() const;

 private:
  struct Probe {
    MemberId target;
    std::uint32_t sequence = 0;
    std::uint32_t tries = 0;
    std::uint32_t reports = 0;  // of relays that had no answer either
    Instant since;
    Instant due;
    Witnesses through{};
    bool confirms = false;
  };
  struct Relay {
    MemberId requester;
    MemberId target;
    std::uint32_t requested = 0;  // the requester's sequence
    std::uint32_t sequence = 0;   // ours
    bool sent = false;
    Instant due;
  };

  Duration Stretched(Duration duration) const { return duration * (1 + health_); }
  const Member* Choose(const MemberTable& members, std::uint32_t self, Random& random) const;
  ProbeStep Advance(Probe& probe, Instant now);
  void LookBeside(const MemberTable& members, std::uint32_t self, std::uint32_t slot, Instant now);

  Tunables tunables_;
  std::vector<Probe> probes_;
  std::vector<Relay> relays_;
  Instant next_probe_;
  std::uint32_t sequence_ = 0;
  std::uint32_t health_ = 0;
};

}  // namespace radix::flock
