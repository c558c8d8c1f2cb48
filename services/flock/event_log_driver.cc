#include "services/flock/event_log_driver.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/confab/clock.h"

namespace radix::flock {
namespace {

std::string NameAndAddress(const Party& party) {
  return party.node.empty() ? party.address : absl::StrCat(party.node, " (", party.address, ")");
}

}  // namespace

EventLogDriver::EventLogDriver(const AddressRanges& ranges, const Naming& naming,
                               const MemberId& self)
    : ranges_(ranges), naming_(naming), self_(self) {}

void EventLogDriver::Add(const Event& event) {
  if (!history_.Add(event, confab::WallNow())) return;
  const auto level = event.kind == EventKind::kAlarm        ? Level::kError
                     : event.kind == EventKind::kKeyChanged ? Level::kDebug
                                                            : Level::kInfo;
  std::string line =
      absl::StrCat(std::string(KindName(event.kind)), ": ", NameAndAddress(PartyOf(event.subject)));
  const std::string detail = Detail(event);
  if (!detail.empty()) absl::StrAppend(&line, ": ", detail);
  if (event.epoch != 0) absl::StrAppend(&line, ", epoch ", event.epoch);
  Log(level, line, event.at);
}

void EventLogDriver::Say(std::string_view kind, const MemberId& subject, const std::string& text,
                         Instant now) {
  Log(Level::kInfo,
      absl::StrCat(std::string(kind), ": ", NameAndAddress(PartyOf(subject)), ": ", text), now);
}

void EventLogDriver::Log(Level level, const std::string& line, Instant now) {
  const auto log_level = level == Level::kDebug  ? spdlog::level::debug
                         : level == Level::kInfo ? spdlog::level::info
                                                 : spdlog::level::err;
  if (!spdlog::should_log(log_level)) return;
  if (now - second_ >= 1s) {
    if (lines_ > kLinesMax) spdlog::warn("{} more lines were left out", lines_ - kLinesMax);
    second_ = now;
    lines_ = 0;
  }
  if (++lines_ <= kLinesMax) spdlog::log(log_level, "{}", line);
}

std::vector<Happening> EventLogDriver::Name(const std::vector<EventHistory::Entry>& entries) const {
  std::vector<Happening> named;
  named.reserve(entries.size());
  for (const EventHistory::Entry& entry : entries) {
    const Event& event = entry.event;
    Happening happening{entry, PartyOf(event.subject), {}, {}, {}, Detail(event)};
    if (event.reporter != self_ && event.reporter != event.subject) {
      happening.reporter = PartyOf(event.reporter);
    }
    const Witnesses& witnesses = event.witnesses;
    for (std::size_t i = 0; i < witnesses.accuser_count; ++i) {
      happening.accusers.push_back(PartyAt(witnesses.accusers[i]));
    }
    for (std::size_t i = 0; i < witnesses.relay_count; ++i) {
      happening.relays.push_back(PartyAt(witnesses.relays[i]));
    }
    named.push_back(std::move(happening));
  }
  return named;
}

std::string EventLogDriver::AddressOf(std::uint32_t slot) const {
  return slot < ranges_.size() ? ranges_.At(slot).ToString() : "";
}

Party EventLogDriver::PartyOf(const MemberId& member) const {
  return {naming_.NameOf(member), AddressOf(member.slot)};
}

Party EventLogDriver::PartyAt(std::uint32_t slot) const {
  return {naming_.NameAt(slot), AddressOf(slot)};
}

std::string EventLogDriver::Detail(const Event& event) const {
  return Explain(event, [&](std::uint32_t slot) {
    // Two of one name are told apart by their addresses.
    const std::string name = event.evidence == Evidence::kSameName ? "" : naming_.NameAt(slot);
    return name.empty() ? AddressOf(slot) : name;
  });
}

}  // namespace radix::flock
