#include "clients/cli/flock.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace radix::cli {
namespace {

using google::protobuf::util::TimeUtil;

// In whole milliseconds: what a person compares with other logs.
std::string TimeOf(const flock::v1::Event& event) {
  return TimeUtil::ToString(
      TimeUtil::MillisecondsToTimestamp(TimeUtil::TimestampToMilliseconds(event.event_time())));
}

Json PartyOrNull(const std::string& node, const std::string& address) {
  if (address.empty()) return nullptr;
  return {{"node", node}, {"address", address}};
}

Json Parties(const google::protobuf::RepeatedPtrField<flock::v1::Party>& parties) {
  Json list = Json::array();
  for (const auto& party : parties) list.push_back(PartyOrNull(party.node(), party.address()));
  return list;
}

}  // namespace

Json EventToJson(const flock::v1::Event& event) {
  return {{"sequence", event.sequence()},
          {"time", TimeUtil::ToString(event.event_time())},
          {"kind", event.kind()},
          {"node", event.subject_node()},
          {"address", event.subject()},
          {"boot", event.boot()},
          {"incarnation", event.incarnation()},
          {"epoch", event.epoch()},
          {"evidence", event.evidence()},
          {"reporter", PartyOrNull(event.reporter_node(), event.reporter())},
          {"accusers", Parties(event.accusers())},
          {"relays", Parties(event.relays())},
          {"relay_failures", event.relay_failure_count()},
          {"detail", event.detail()}};
}

std::string EventToLine(const flock::v1::Event& event) {
  std::string line = TimeOf(event);
  // A whole second has no fraction: the columns stay where they are.
  if (line.find('.') == std::string::npos && !line.empty()) line.insert(line.size() - 1, ".000");
  constexpr std::size_t kKindWidth = 18;  // the longest there is
  const std::size_t gap = kKindWidth - std::min(kKindWidth, event.kind().size()) + 2;
  absl::StrAppend(&line, "  ", event.kind(), std::string(gap, ' '),
                  NameAndAddress(event.subject_node(), event.subject()));
  if (!event.detail().empty()) absl::StrAppend(&line, ": ", event.detail());
  if (event.epoch() != 0) absl::StrAppend(&line, ", epoch ", event.epoch());
  return line;
}

std::string NameAndAddress(const std::string& node, const std::string& address) {
  if (node.empty()) return address;
  return address.empty() ? node : absl::StrCat(node, " (", address, ")");
}

}  // namespace radix::cli
