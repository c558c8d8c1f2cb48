#include "services/reeve/door_codec.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/confab/plugin_user.h"

namespace radix::reeve {
namespace {

constexpr std::size_t kTextMax = 63;

bool IsId(const std::string& text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

absl::StatusOr<trust::Door> DoorFrom(const std::string& field, const trust::v1::Door& message) {
  const auto malformed = [&field](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(field, what));
  };
  if (!IsId(message.id())) return malformed(".id: is not 1 to 63 of A-Z a-z 0-9 . _ -");
  auto who = trust::Party::Parse(message.horde() + "/" + message.service());
  if (!who.ok()) return malformed(".service: " + std::string(who.status().message()));
  // Whether they are names at all, the heartbeater says to who uses them.
  for (const auto& [name, text] : {std::pair(".api", &message.api()), {".inst", &message.inst()}}) {
    if (text->size() > kTextMax) return malformed(absl::StrCat(name, ": is too long"));
  }
  if (message.uid() != 0 && !IsPluginUser(message.uid())) {
    return malformed(absl::StrCat(".uid: ", message.uid(), " is not in [", kPluginUserMin, ", ",
                                  kPluginUserMax, "]"));
  }
  return trust::Door{.id = message.id(),
                     .who = *std::move(who),
                     .api = message.api(),
                     .inst = message.inst(),
                     .uid = message.uid()};
}

}  // namespace

absl::StatusOr<std::vector<trust::Door>> DoorsFrom(const trust::v1::HoldDoorsRequest& message) {
  if (message.number() <= 0) return absl::InvalidArgumentError("number: must be greater than 0");
  std::vector<trust::Door> doors;
  for (int i = 0; i < message.doors_size(); ++i) {
    auto door = DoorFrom(absl::StrCat("doors[", i, "]"), message.doors(i));
    if (!door.ok()) return door.status();
    doors.push_back(*std::move(door));
  }
  return doors;
}

trust::v1::HoldDoorsResponse ToProto(std::int64_t number,
                                     const std::vector<trust::DoorReport>& report) {
  trust::v1::HoldDoorsResponse message;
  message.set_number(number);
  for (const trust::DoorReport& each : report) {
    trust::v1::DoorState& state = *message.add_doors();
    state.set_id(each.id);
    state.set_folder(each.folder);
    state.set_error(each.error);
    if (!each.refused) continue;
    state.mutable_refused()->set_horde(each.refused->horde.value_or(""));
    state.mutable_refused()->set_api(each.refused->api.value_or(""));
    state.mutable_refused()->set_inst(each.refused->inst.value_or(""));
  }
  return message;
}

}  // namespace radix::reeve
