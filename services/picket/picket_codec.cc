#include "services/picket/picket_codec.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/checksum.h"
#include "services/confab/charter.h"

namespace radix::picket {
namespace {

constexpr std::size_t kSpecBytesMax = 8 << 10;
constexpr std::size_t kTextsMax = 256;
constexpr std::size_t kNameMax = 63;

// Those that fulcrum starts by itself: their logs have these names.
constexpr std::array<std::string_view, 6> kReservedIds = {"fulcrum", "flock",   "heartbeater",
                                                          "reeve",   "steward", "picket"};

absl::Status Invalid(const std::string& text) { return absl::InvalidArgumentError(text); }

bool IsId(const std::string& text) {
  return !text.empty() && text.size() <= 63 && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

// Reeve takes the doors of all plugins or of none: no single one may spoil that.
absl::Status CheckNames(const v1::PluginSpec& spec) {
  // Empty stands for `default`.
  if (!spec.horde().empty() && !IsName(spec.horde())) {
    return Invalid(absl::StrCat("spec.horde: '", spec.horde().substr(0, 80),
                                "' is not at most 63 of a-z, 0-9 and '-'"));
  }
  if (spec.api().size() > kNameMax) return Invalid("spec.api: is too long");
  if (spec.inst().size() > kNameMax) return Invalid("spec.inst: is too long");
  return absl::OkStatus();
}

absl::Status CheckFile(const std::string& file) {
  if (file.starts_with("/")) return absl::OkStatus();
  if (file.starts_with("builtin:")) {
    if (IsBuiltIn(file.substr(8))) return absl::OkStatus();
    return Invalid(absl::StrCat("spec.file: '", file,
                                "': only dean, healthminder, pastiche and proctor are built in"));
  }
  if (file.starts_with("sha256:")) {
    const auto checksum = Checksum::Parse(file);
    if (checksum.ok()) return absl::OkStatus();
    return Invalid(absl::StrCat("spec.file: ", std::string(checksum.status().message())));
  }
  return Invalid(absl::StrCat("spec.file: '", file,
                              "' is neither sha256:HEX, an absolute path, nor builtin:SERVICE"));
}

absl::Status CheckEnv(const std::string& variable) {
  const std::size_t end = variable.find('=');
  if (end == std::string::npos || end == 0) {
    return Invalid(absl::StrCat("spec.env: '", variable, "' is not NAME=value"));
  }
  if (variable.starts_with("RADIX_")) {
    return Invalid(absl::StrCat("spec.env: ", variable.substr(0, end), " is picket's to set"));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsBuiltIn(const std::string& name) {
  return name == "dean" || name == "healthminder" || name == "pastiche" || name == "proctor";
}

absl::StatusOr<PluginSpec> DecodeSpec(const v1::PluginSpec& spec) {
  if (!IsId(spec.id())) {
    return Invalid(absl::StrCat("spec.id: '", spec.id().substr(0, 80),
                                "' is not 1 to 63 characters of A-Z a-z 0-9 . _ -, no dot first"));
  }
  if (std::find(kReservedIds.begin(), kReservedIds.end(), spec.id()) != kReservedIds.end()) {
    return Invalid(absl::StrCat("spec.id: ", spec.id(), " is a service that fulcrum runs itself"));
  }
  if (spec.owner().empty()) return Invalid("spec.owner: is missing");
  if (auto checked = CheckNames(spec); !checked.ok()) return checked;
  if (auto checked = CheckFile(spec.file()); !checked.ok()) return checked;
  if (spec.args_size() + spec.env_size() > static_cast<int>(kTextsMax) ||
      spec.ByteSizeLong() > kSpecBytesMax) {
    return Invalid(absl::StrCat("spec: is larger than ", kSpecBytesMax, " bytes or has more than ",
                                kTextsMax, " arguments and variables"));
  }
  for (const std::string& variable : spec.env()) {
    if (auto checked = CheckEnv(variable); !checked.ok()) return checked;
  }
  PluginSpec decoded{.id = spec.id(),
                     .owner = spec.owner(),
                     .horde = spec.horde(),
                     .api = spec.api(),
                     .inst = spec.inst(),
                     .file = spec.file(),
                     .args = {spec.args().begin(), spec.args().end()},
                     .env = {spec.env().begin(), spec.env().end()}};
  std::vector<std::string> texts = {spec.owner(), spec.horde(), spec.api(), spec.inst(),
                                    spec.file()};
  texts.insert(texts.end(), decoded.args.begin(), decoded.args.end());
  texts.insert(texts.end(), decoded.env.begin(), decoded.env.end());
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) return Invalid("spec: a text has a zero byte");
  }
  return decoded;
}

absl::StatusOr<std::uint64_t> DecodeEpoch(std::int64_t epoch) {
  if (epoch < 0) return Invalid(absl::StrCat("epoch: ", epoch, " is negative"));
  return static_cast<std::uint64_t>(epoch);
}

absl::StatusOr<Duration> DecodeGrace(std::int32_t seconds) {
  if (seconds < 0 || seconds > 600) {
    return Invalid(absl::StrCat("grace_seconds: ", seconds, " is not in [0, 600]"));
  }
  return std::chrono::seconds(seconds == 0 ? 15 : seconds);
}

v1::PluginSpec EncodeSpec(const PluginSpec& spec) {
  v1::PluginSpec encoded;
  encoded.set_id(spec.id);
  encoded.set_owner(spec.owner);
  encoded.set_horde(spec.horde);
  encoded.set_api(spec.api);
  encoded.set_inst(spec.inst);
  encoded.set_file(spec.file);
  for (const std::string& arg : spec.args) encoded.add_args(arg);
  for (const std::string& variable : spec.env) encoded.add_env(variable);
  return encoded;
}

v1::Plugin EncodePlugin(const Plugin& plugin, Instant now,
                        std::chrono::system_clock::time_point wall) {
  v1::Plugin encoded;
  *encoded.mutable_spec() = EncodeSpec(plugin.spec);
  switch (plugin.state) {
    case PluginState::kStarting:
      encoded.set_state(v1::PLUGIN_STATE_STARTING);
      break;
    case PluginState::kBackoff:
      encoded.set_state(v1::PLUGIN_STATE_BACKOFF);
      break;
    case PluginState::kRunning:
      encoded.set_state(v1::PLUGIN_STATE_RUNNING);
      break;
    case PluginState::kStopping:
      encoded.set_state(v1::PLUGIN_STATE_STOPPING);
      break;
    case PluginState::kStopped:
      encoded.set_state(v1::PLUGIN_STATE_STOPPED);
      break;
  }
  encoded.set_pid(plugin.pid);
  if (plugin.pid != 0) {
    const auto since = (wall - std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                   now - plugin.started_at))
                           .time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    encoded.mutable_start_time()->set_seconds(seconds.count());
    encoded.mutable_start_time()->set_nanos(
        static_cast<std::int32_t>(std::chrono::nanoseconds(since - seconds).count()));
  }
  encoded.set_restart_count(plugin.restart_count);
  encoded.set_last_exit(plugin.last_exit);
  if (plugin.refused) {
    encoded.mutable_refused()->set_horde(plugin.refused->horde);
    encoded.mutable_refused()->set_api(plugin.refused->api);
    encoded.mutable_refused()->set_inst(plugin.refused->inst);
  }
  return encoded;
}

}  // namespace radix::picket
