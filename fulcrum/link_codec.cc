#include "fulcrum/link_codec.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/confab/plugin_user.h"

namespace radix::fulcrum {
namespace {

using Json = nlohmann::json;

absl::Status Malformed(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("malformed message: ", what));
}

// The text of `field`; Malformed when it is none, or has a zero byte.
absl::StatusOr<std::string> Text(const Json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string()) {
    return Malformed(absl::StrCat(field, " is no text"));
  }
  auto text = found->get<std::string>();
  if (text.find('\0') != std::string::npos) {
    return Malformed(absl::StrCat(field, " has a zero byte"));
  }
  return text;
}

absl::StatusOr<std::vector<std::string>> Texts(const Json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_array()) {
    return Malformed(absl::StrCat(field, " is no list"));
  }
  std::vector<std::string> texts;
  for (const Json& each : *found) {
    if (!each.is_string()) return Malformed(absl::StrCat(field, " holds more than texts"));
    texts.push_back(each.get<std::string>());
    if (texts.back().find('\0') != std::string::npos) {
      return Malformed(absl::StrCat(field, " has a zero byte"));
    }
  }
  return texts;
}

// An id names a log file too.
absl::StatusOr<std::string> Id(const Json& object) {
  auto id = Text(object, "id");
  if (!id.ok()) return id;
  const bool plain = !id->empty() && id->size() <= 63 && id->front() != '.' &&
                     std::all_of(id->begin(), id->end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                     });
  if (!plain) return Malformed("id is not 1 to 63 characters of A-Z a-z 0-9 . _ -");
  return id;
}

absl::StatusOr<Request> DecodeSpawn(const Json& body) {
  if (!body.is_object()) return Malformed("spawn is no object");
  auto id = Id(body);
  if (!id.ok()) return id.status();
  auto argv = Texts(body, "argv");
  if (!argv.ok()) return argv.status();
  if (argv->empty()) return Malformed("argv is empty");
  auto env = Texts(body, "env");
  if (!env.ok()) return env.status();
  auto tag = Text(body, "tag");
  if (!tag.ok()) return tag.status();
  std::uint32_t uid = 0;
  if (const auto found = body.find("uid"); found != body.end()) {
    if (!found->is_number_unsigned() || *found > kPluginUserMax) return Malformed("uid is none");
    uid = found->get<std::uint32_t>();
    if (!IsPluginUser(uid)) return Malformed("uid is no plugin's");
  }
  return Spawn{*std::move(id), *std::move(argv), *std::move(env), *std::move(tag), uid};
}

absl::StatusOr<Request> DecodeKill(const Json& body) {
  if (!body.is_object()) return Malformed("kill is no object");
  auto id = Id(body);
  if (!id.ok()) return id.status();
  const auto signal = body.find("signal");
  if (signal == body.end() || !signal->is_number_unsigned() || *signal < 1 || *signal > SIGRTMAX) {
    return Malformed("signal is none");
  }
  return Kill{*std::move(id), signal->get<int>()};
}

}  // namespace

absl::StatusOr<Request> DecodeRequest(const std::string& service, const Json& message) {
  if (!message.is_object() || message.size() != 1) return Malformed("it has not one field");
  const std::string& kind = message.begin().key();
  const Json& body = message.begin().value();
  const bool is_flocks = kind == "lead" || kind == "follow";
  const bool is_pickets = kind == "spawn" || kind == "kill" || kind == "fence";
  if ((is_flocks && service != "flock") || (is_pickets && service != "picket")) {
    return absl::PermissionDeniedError(absl::StrCat(kind, " is not for ", service, " to say"));
  }
  if (kind == "ready") return Ready{};
  if (kind == "alive") return Alive{};
  if (kind == "follow") return Follow{};
  if (kind == "spawn") return DecodeSpawn(body);
  if (kind == "kill") return DecodeKill(body);
  if (kind == "lead" || kind == "fence") {
    if (!body.is_number_unsigned()) return Malformed(absl::StrCat(kind, " has no epoch"));
    const auto epoch = body.get<std::uint64_t>();
    if (kind == "fence") return Fence{epoch};
    if (epoch == 0) return Malformed("epoch 0 is none");
    return Lead{epoch};
  }
  return Malformed("its kind is not known");
}

Json EncodeChild(const std::string& id, const Guest& guest, Instant now) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - guest.started_at);
  Json child = {{"id", id},
                {"pid", guest.pid},
                {"tag", guest.tag},
                {"age_ms", age.count()},
                {"terminated", guest.terminated}};
  if (guest.uid != 0) child["uid"] = guest.uid;
  if (guest.wait_status) child["status"] = *guest.wait_status;
  return {{"child", std::move(child)}};
}

Json EncodeResume(std::uint64_t fence) { return {{"resume", {{"fence", fence}}}}; }

Json EncodeWant(const std::vector<Wanted>& wanted) {
  Json list = Json::array();
  for (const Wanted& each : wanted)
    list.push_back({{"service", each.service}, {"args", each.args}});
  return {{"want", std::move(list)}};
}

Json EncodeSpawned(const std::string& id, int pid) {
  return {{"spawned", {{"id", id}, {"pid", pid}}}};
}

Json EncodeRefused(const std::string& id, const absl::Status& why) {
  return {{"refused", {{"id", id}, {"error", std::string(why.message())}}}};
}

Json EncodeExited(const std::string& id, int pid, int wait_status) {
  return {{"exited", {{"id", id}, {"pid", pid}, {"status", wait_status}}}};
}

Json EncodeShutdown() { return {{"shutdown", true}}; }

}  // namespace radix::fulcrum
