// What happened lately, in the words of people: kept, and logged.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/confab/address.h"
#include "services/confab/time.h"
#include "services/flock/event_history.h"
#include "services/flock/naming.h"

namespace radix::flock {

// A node as people know it.
struct Party {
  std::string node;  // its name; empty when it is not known
  std::string address;
};

// An event with names in it.
struct Happening {
  EventHistory::Entry entry;
  Party subject;
  std::optional<Party> reporter;  // unless it is this node, or the subject itself
  std::vector<Party> accusers;
  std::vector<Party> relays;
  std::string detail;  // the evidence, as a sentence without its subject
};

// Keeps the history of one flock, with the names that its members have when it is asked for, and
// logs each event as one line, at most kLinesMax a second: what authentic members do is news, but a
// broken one among them must not fill the disk. Not thread-safe.
class EventLogDriver {
 public:
  static constexpr std::size_t kLinesMax = 200;

  enum class Level { kDebug, kInfo, kError };

  // Both must outlive it. `self` is this node.
  EventLogDriver(const AddressRanges& ranges, const Naming& naming, const MemberId& self);

  // Keeps `event`, which happened just now, and logs it.
  void Add(const Event& event);
  // Only logs that `text` is so of `subject`.
  void Say(std::string_view kind, const MemberId& subject, const std::string& text, Instant now);

  const EventHistory& history() const { return history_; }
  std::vector<Happening> Name(const std::vector<EventHistory::Entry>& entries) const;

 private:
  void Log(Level level, const std::string& line, Instant now);
  Party PartyOf(const MemberId& member) const;
  Party PartyAt(std::uint32_t slot) const;
  std::string AddressOf(std::uint32_t slot) const;
  std::string Detail(const Event& event) const;

  const AddressRanges& ranges_;
  const Naming& naming_;
  const MemberId self_;
  EventHistory history_;
  Instant second_{};  // when the current second began
  std::size_t lines_ = 0;
};

}  // namespace radix::flock
